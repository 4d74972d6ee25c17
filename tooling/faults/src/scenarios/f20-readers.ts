import type { Scenario } from '../scenario.ts'

const readers = ['envelope', 'json', 'msgpack', 'protobuf', 'protobuf-maps']
const slowestMs = 1_000
const heapMb = 256

export const fuzzReaders: Scenario = {
  id: 'F20-READERS',
  title: 'damaged headers and bytes for the envelope and for every codec, without anything around them',
  limitSeconds: { quick: 180, long: 600 },
  quick: { cases: 5_000 },
  long: { cases: 100_000 },
  async run(rig, { cases = 0 }) {
    for (const reader of readers) {
      rig.progress(reader)
      const member = rig.fuzz({ ...rig.base(), cases, reader })
      const { code, stderr } = await member.ended
      const told = rig.ledger.of('closed').find(({ pid }) => pid === member.pid)?.figures ?? {}
      rig.expect(`${reader} broke off`, code === 0, stderr)
      rig.count('cases', told.cases ?? 0)
      for (const figure of ['cases', 'read', 'refused', 'slowestMs', 'tookMs'])
        rig.set(`${reader} ${figure}`, told[figure] ?? 0)
      rig.expect(`${reader} had fewer cases than planned`, (told.cases ?? 0) >= cases, `${told.cases}`)
      rig.expect(`${reader} refused nothing`, (told.refused ?? 0) > 0)
      rig.expect(
        `${reader} took more than ${slowestMs} ms for one`,
        (told.slowestMs ?? 0) <= slowestMs,
        `${told.slowestMs}`,
      )
      rig.expect(`${reader} needs more than ${heapMb} MB`, (told.heapMb ?? 0) <= heapMb, `${told.heapMb}`)
    }
  },
}
