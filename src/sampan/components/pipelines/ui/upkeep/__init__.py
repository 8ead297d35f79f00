"""The pages of what is kept and what is put away: the archive, the cache, disk use and retention."""
