@load ./services
@load ./tools
