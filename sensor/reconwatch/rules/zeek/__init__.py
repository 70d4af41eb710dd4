"""The data of the package inside Zeek: catalog and site as scripts."""
