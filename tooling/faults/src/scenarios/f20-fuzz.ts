import type { Headers, StoredMessage } from '@evt/core'
import { finish } from '../finish.ts'
import { storedMessage } from '../harness-messages.ts'
import { startCrew } from '../nemesis/crew.ts'
import { allFormats, type Format } from '../programs/codecs.ts'
import type { Rig } from '../rig.ts'
import type { Scenario } from '../scenario.ts'

const firstOf = 2_000_000
const together = 500

export const fuzz: Scenario = {
  id: 'F20',
  title: 'malformed envelopes and payloads: every case handled or dead-lettered, nothing else happens',
  limitSeconds: { quick: 180, long: 900 },
  quick: { cases: 1_000 },
  long: { cases: 100_000 },
  async run(rig, { cases = 0 }) {
    const crew = startCrew(rig, 1, () => rig.worker({ keyed: false, attempts: 1, codecs: true }))
    await crew.ready
    const formats = await allFormats()
    for (let from = 0; from < cases; from += together) {
      const batch = Array.from({ length: Math.min(together, cases - from) }, (_none, at) =>
        mutant(rig, firstOf + from + at, formats),
      )
      await rig.database.outbox.store(batch)
    }
    await finish(rig, crew, { extra: cases, judgesItself: true })
    const { rows } = await rig.database.pool.query('select count(*)::int as letters from evt_dlq')
    const handled = new Set(rig.ledger.of('start').map((entry) => entry.message)).size
    const { parked } = await rig.database.outbox.count()
    rig.set('messages', cases)
    rig.set('handled', handled)
    rig.set('dead letters', rows[0].letters)
    rig.expect('cases unaccounted for', rows[0].letters + handled + parked >= cases, `${rows[0].letters} + ${handled}`)
    const polluted = rig.ledger.of('closed').some((entry) => entry.figures.polluted === 1)
    rig.expect('Object.prototype was changed', !polluted)
    const slow = rig.ledger.of('closed').map((entry) => entry.figures.longestTickMs ?? 0)
    rig.set('longest tick ms', Math.max(0, ...slow))
    rig.expect('the event loop hung for over a second', Math.max(0, ...slow) <= 1_000, ...slow.map(String))
  },
}

const texts = [
  '',
  ' ',
  '\u0000',
  '\ud800',
  '\ufeff',
  '__proto__',
  '9'.repeat(400),
  '\r\nce-id: x',
  'a'.repeat(600),
  '∞',
]

function mutant(rig: Rig, number: number, formats: readonly Format[]): StoredMessage {
  const plain = storedMessage(rig, { number, key: '' })
  const pick = <Item>(items: readonly Item[]) => items[rig.between(0, items.length - 1)]!
  const format = pick(formats)
  const payload = Buffer.from(format.codec.encode(format.payload(number)))
  const headers: Headers = { ...plain.headers, 'content-type': format.codec.contentType }
  const right = { ...plain, headers, payload }
  const kinds: readonly (() => Partial<StoredMessage>)[] = [
    () => {
      for (let flips = rig.between(1, 4); flips > 0; flips -= 1)
        payload[rig.between(0, payload.length - 1)]! ^= 1 << rig.between(0, 7)
      return { payload }
    },
    () => ({ payload: payload.subarray(0, rig.between(0, payload.length)) }),
    () => ({ payload: Buffer.concat([payload, payload.subarray(0, rig.between(1, payload.length))]) }),
    () => ({ payload: Buffer.from(Array.from({ length: rig.between(0, 64) }, () => rig.between(0, 255))) }),
    () => ({ payload: Buffer.from('['.repeat(10_000) + ']'.repeat(10_000)) }),
    () => ({ payload: Buffer.from(`{${Array.from({ length: 2_000 }, (_none, key) => `"${key}":1`).join(',')}}`) }),
    () => ({ payload: Buffer.from('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}') }),
    () => ({ payload: Buffer.from([0xff, 0xfe, 0xc0, 0x80, 0xed, 0xa0, 0x80]) }),
    () => ({ payload: Buffer.from(`\ufeff${payload.toString()}`) }),
    () => ({ payload: Buffer.from('{"number":1e400,"number":1,"key":null,"failures":"0"}') }),
    () => ({ payload: Buffer.from(pick(['null', '1', '"x"', '[]', 'true', '1e999'])) }),
    () => {
      const name = pick(Object.keys(headers))
      // Two cases of one id would be taken for one message.
      return { headers: { ...headers, [name]: `${pick(texts)}${name === 'ce-id' ? number : ''}` } }
    },
    () => {
      const rest: Record<string, string> = { ...headers }
      delete rest[pick(Object.keys(rest))]
      return { headers: rest }
    },
    () => ({ headers: Object.fromEntries(texts.map((text, index) => [`${text}${index}`, text])) }),
  ]
  return { ...right, ...pick(kinds)() }
}
