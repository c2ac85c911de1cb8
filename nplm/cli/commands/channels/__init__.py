"""The commands of `nplm channels`: options, and what runs each."""
