@load ./main
@load ./catalog
@load ./observe
