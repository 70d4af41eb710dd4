@load ./paths
@load ./scanners
@load ./services
@load ./tools
