import { isEvtError, readEnvelope, readMetadata, writeHeaders } from '@evt/core'
import { seededRandom } from '@evt/testing'

const texts = ['', ' ', '\u0000', '\ud800', '\ufeff', '__proto__', '\r\nce-id: x', '∞', '9'.repeat(400), '-1', '1e999']
const names = ['__proto__', 'constructor', 'ce-future', 'evt-attempt', 'EVT_x', 'note', 'toString', 'ce_id', '\r\n', '']

/** Good envelopes with some entries changed, removed or added. Throws for whatever is neither read nor refused by its code. */
export function fuzzEnvelopes(cases: number, seed: number, measured: <Value>(read: () => Value) => Value): void {
  const random = seededRandom(seed)
  const below = (limit: number) => Math.floor(random() * limit)
  const pick = <Item>(items: readonly Item[]): Item => items[below(items.length)]!
  const prototypes = [Object.prototype, Array.prototype, Function.prototype, String.prototype]
  const namesOf = () => prototypes.map((prototype) => Reflect.ownKeys(prototype).length).join()
  const before = namesOf()
  for (let index = 0; index < cases; index += 1) {
    const headers = Object.fromEntries(Object.entries(good)) as Record<string, unknown>
    for (let changes = 1 + below(4); changes > 0; changes -= 1) {
      const name = below(3) === 0 ? pick(names) : pick(Object.keys(good))
      const kind = below(5)
      if (kind === 0) delete headers[name]
      else
        Object.defineProperty(headers, name, {
          value: damaged(kind, Object.hasOwn(good, name) ? good[name]! : 'x'),
          enumerable: true,
          configurable: true,
        })
    }
    try {
      measured(() => readEnvelope(headers as never))
    } catch (error) {
      if (!isEvtError(error, 'EVT_ENVELOPE_INVALID'))
        throw new Error(`envelope ${index} of seed ${seed}`, { cause: error })
    }
    const metadata = readMetadata(headers as never)
    if (!inheritsNothing(metadata)) throw new Error(`metadata ${index} of seed ${seed} inherit something`)
    if (namesOf() !== before) throw new Error(`envelope ${index} of seed ${seed} changed a prototype`)
  }

  function damaged(kind: number, value: string): unknown {
    if (kind === 1) return pick(texts)
    if (kind === 2) return value.slice(0, below(value.length + 1))
    if (kind === 3)
      return value.replace(/./gu, (character) => (below(4) === 0 ? String.fromCharCode(below(65_536)) : character))
    return pick([undefined, null, 0, {}, [], 'a'.repeat(100_000), value.repeat(1 + below(50))])
  }
}

function inheritsNothing(value: object): boolean {
  const from = Object.getPrototypeOf(value) as object | null
  return from === null || (Reflect.ownKeys(from).length === 0 && Object.getPrototypeOf(from) === null)
}

const good: Readonly<Record<string, string>> = {
  ...writeHeaders(
    {
      id: '01890000-0000-7000-8000-000000000000',
      type: 'fault.plain',
      source: '/faults',
      time: new Date(0).toISOString(),
      contentType: 'application/json',
      version: 2,
      key: 'a key',
      subject: 'a subject',
      correlationId: 'c',
      causationId: 'd',
    },
    { note: 'n' },
    { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', tracestate: 'a=b', baggage: 'c=d' },
  ),
}
