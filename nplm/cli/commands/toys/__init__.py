"""The commands `nplm toys`."""
