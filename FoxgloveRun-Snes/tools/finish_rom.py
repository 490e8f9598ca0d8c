"""Write the checksum into a ROM's header: python3 finish_rom.py ROM."""

import sys
from pathlib import Path

COMPLEMENT, CHECKSUM = 0x7FDC, 0x7FDE

path = Path(sys.argv[1])
rom = bytearray(path.read_bytes())
# The sum of all bytes, with the two numbers themselves counting as these.
rom[COMPLEMENT : COMPLEMENT + 4] = b"\xff\xff\0\0"
total = sum(rom) & 0xFFFF
rom[COMPLEMENT : COMPLEMENT + 2] = (total ^ 0xFFFF).to_bytes(2, "little")
rom[CHECKSUM : CHECKSUM + 2] = total.to_bytes(2, "little")
path.write_bytes(rom)
