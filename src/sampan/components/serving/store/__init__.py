"""What serving keeps of its own, in files of the home folder."""
