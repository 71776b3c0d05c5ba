"""A text to try the app with, written for it."""

SAMPLE = """\
For most of history, a town that wanted light after dark had to carry it. Lamplighters walked the streets at dusk with \
a ladder and a flame, and walked them again at dawn to put the lamps out. A good one tended three hundred lamps. \
People set their clocks by them, and children followed them home.

Gas changed the streets before it changed the houses. In 1807 a row of gas lamps was lit along Pall Mall in London, \
and the crowd that came to see it stayed for hours. Within twenty years every large city of Europe was laying pipes. \
Gas light was brighter than oil and cheaper, but it smelled, it blackened ceilings, and now and then it exploded.

Electric light was at first too strong to be useful. Arc lamps threw a hard white glare that suited harbours and \
railway yards; some cities hung them from towers so high that one lamp lit a whole quarter. Nobody wanted one in the \
kitchen. The light bulb succeeded because it was weak: it gave a room about as much light as a gas flame, without \
the flame.

The street lamps of today are changing again. Light-emitting diodes use half the power of the sodium lamps that they \
replace, and they can be dimmed lamp by lamp. Cities save money, and some of them spend the savings on more light, \
so that the night over Europe grows brighter by several per cent a year. Astronomers, and people who would like to \
sleep, ask for the opposite: lamps that shine downwards, in a warm colour, and only where somebody walks.

The lamplighter may therefore come back in another form. A lamp that knows when someone is near, and wakes for them, \
does what the man with the ladder did: it brings the light to where it is needed, and takes it away again."""
