"""Where a scenario's services run: as local processes or in containers, behind one small protocol."""
