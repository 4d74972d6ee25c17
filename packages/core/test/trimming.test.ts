import type { Transport } from '../src/index.ts'
import { makeRig, Tick } from './rig.ts'

test.each([
  ['acknowledged', ['evt.rig.tick', 'evt.rig.tick', 'evt.rig.tick']],
  ['limits', []],
] as const)(
  'a transport that keeps messages by "%s" is trimmed as often as that needs, though one time failed',
  async (retention, expected) => {
    const trimmed: string[] = []
    const wrap = (memory: Transport): Transport => ({
      ...memory,
      supports: { ...memory.supports, retention },
      async trim(topic) {
        trimmed.push(topic)
        if (trimmed.length === 1) throw new Error('not now')
        return { removed: 0, heldBackBy: null }
      },
    })
    await using rig = makeRig({ wrap })
    await rig.bus.subscribe(Tick, () => {}, { group: 'a' })
    await rig.clock.advance(16_000)
    expect(trimmed).toEqual(expected)
    expect(rig.reports.map(({ during }) => during)).toEqual(expected.length === 0 ? [] : ['trim'])
    await rig.bus.close()
    await rig.clock.advance(60_000)
    expect(trimmed).toEqual(expected)
  },
)
