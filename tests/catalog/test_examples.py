"""Every example of the catalog is run: what must be claimed is, by the right service, with the right targets."""

import pytest

from reconwatch.catalog import Example, Service
from reconwatch.catalog.lint import asking_part, claimed_by
from reconwatch.catalog.load import load

CATALOG = load()
EXAMPLES = [(service, example) for service in CATALOG.services.values() for example in service.match]
COUNTER_EXAMPLES = [(service, example) for service in CATALOG.services.values() for example in service.no_match]


def name_of(value: object) -> str:
    return value.id if isinstance(value, Service) else f"{value.layer}:{value.text}"  # type: ignore[attr-defined]


def asked(service: Service, example: Example) -> set[str]:
    return {named.value for named in CATALOG.asked(service, example.layer, asking_part(example)) or ()}


@pytest.mark.parametrize(("service", "example"), EXAMPLES, ids=name_of)
def test_what_a_service_says_is_its_own_is_claimed_by_it(service: Service, example: Example) -> None:
    claimed = claimed_by(CATALOG, example)
    assert claimed is not None, f"nobody claims {example.text}"
    assert claimed.id == service.id
    if example.targets is not None:
        assert asked(service, example) == set(example.targets)


@pytest.mark.parametrize(("service", "example"), COUNTER_EXAMPLES, ids=name_of)
def test_what_a_service_says_is_not_its_own_is_not_claimed_by_it(service: Service, example: Example) -> None:
    claimed = claimed_by(CATALOG, example)
    assert claimed is None or claimed.id != service.id


def test_there_are_at_least_sixty_services_over_all_five_sub_techniques() -> None:
    assert len(CATALOG.services) >= 60
    assert {service.technique for service in CATALOG.services.values()} == {f"T1596.00{n}" for n in range(1, 6)}


@pytest.mark.parametrize("service", CATALOG.services.values(), ids=lambda service: service.id)
def test_every_query_form_is_shown_by_an_example_with_targets(service: Service) -> None:
    placeholders = [
        query for query in service.queries if "{" in query.template.replace("{any}", "").replace("{secret}", "")
    ]
    shown = [example for example in service.match if example.targets]
    assert len(shown) >= min(1, len(placeholders)), f"{service.id} has query forms that no example runs"
