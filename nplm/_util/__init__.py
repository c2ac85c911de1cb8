"""What every part uses and no reader of results meets: files, numbers, machines."""
