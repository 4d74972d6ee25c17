import type { DeadLetterEntry } from '@evt/core'
import type { DlqStore } from '../dlq-store.ts'

export interface ConformanceCase {
  readonly name: string
  run(): Promise<void>
}

/** Every promise a dead-letter store must keep, on a fresh empty store each. */
export function dlqStoreCases(create: () => Promise<DlqStore>): readonly ConformanceCase[] {
  return [
    {
      name: 'a dead letter is read back as it was, whatever text and bytes it holds',
      async run() {
        const store = await create()
        const letter = sample('1', {
          key: 'half \ud800 NUL \0',
          reason: '\\ "quoted"',
          payload: Uint8Array.from([0, 255, 34]),
        })
        await store.append([letter])
        const again = await store.get(letter.id)
        expectThat(again !== undefined && describe(again) === describe(letter), 'what was kept is read back unchanged')
        expectThat((await store.get('absent')) === undefined, 'what is not there is undefined')
      },
    },
    {
      name: 'appending the same letter again changes nothing, also within one batch and at once',
      async run() {
        const store = await create()
        const letter = sample('1')
        await Promise.all([
          store.append([letter, letter]),
          store.append([letter]),
          store.append([{ ...letter, reason: 'other' }, sample('2')]),
        ])
        expectThat((await store.count()) === 2, 'append is idempotent by id')
      },
    },
    {
      name: 'a key is blocked for the consumer and topic that have a letter of it, and for nobody else',
      async run() {
        const store = await create()
        const { consumer, topic } = sample('1')
        await store.append([sample('1', { key: 'a' }), sample('2', { key: 'half \ud800' }), sample('3')])
        const blocked = await store.blockedKeys(consumer, topic, ['a', 'b', 'half \ud800'])
        expectThat([...blocked].sort().join() === 'a,half \ud800', 'keys with a letter are blocked')
        const others = [
          ...(await store.blockedKeys('orders/other', topic, ['a'])),
          ...(await store.blockedKeys(consumer, 'evt.other', ['a'])),
        ]
        expectThat(others.length === 0, 'another consumer or topic is not')
      },
    },
    {
      name: 'lists page through everything that matches, each once',
      async run() {
        const store = await create()
        const letters = Array.from({ length: 25 }, (_value, index) =>
          sample(String(index), { event: index % 2 === 0 ? 'even' : 'odd', deadLetteredAt: new Date(1_000 * index) }),
        )
        await store.append(letters)
        const seen: string[] = []
        let cursor: string | undefined
        do {
          const page = await store.list({ event: 'even' }, { limit: 4, cursor })
          seen.push(...page.entries.map((entry) => entry.id))
          cursor = page.cursor
        } while (cursor !== undefined)
        expectThat(seen.length === 13 && new Set(seen).size === 13, 'pages neither skip nor repeat')
        expectThat((await store.count({ from: new Date(5_000), to: new Date(10_000) })) === 5, 'times bound a count')
        const refused = await store.list({}, { limit: 501 }).then(
          () => false,
          () => true,
        )
        expectThat(refused, 'a page of more than 500 is refused')
      },
    },
  ]
}

function sample(position: string, changes: Partial<DeadLetterEntry> = {}): DeadLetterEntry {
  return {
    id: `id-${position.padStart(3, '0')}`,
    messageId: `message-${position}`,
    event: 'order.created',
    topic: 'evt.order.created',
    consumer: 'orders/payment',
    position,
    source: '/orders',
    key: undefined,
    contentType: 'application/json',
    headers: { 'ce-id': position },
    payload: Uint8Array.from([123, 125]),
    reason: 'no',
    attempts: 3,
    history: [{ attempt: 3, name: 'Error', message: 'no', code: undefined, at: '2026-01-01T00:00:00.000Z' }],
    deadLetteredAt: new Date(1_000),
    ...changes,
  }
}
function describe(entry: DeadLetterEntry): string {
  const sorted = Object.entries({ ...entry, payload: [...entry.payload], headers: { ...entry.headers } }).sort()
  return JSON.stringify(sorted)
}
function expectThat(holds: boolean, promise: string): void {
  if (!holds) throw new Error(`broken promise: ${promise}`)
}
