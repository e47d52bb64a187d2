"""What every command and package shares: manners of the shell, places, files, devices."""
