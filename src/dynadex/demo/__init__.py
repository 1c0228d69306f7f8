"""The music lessons that show it all."""
