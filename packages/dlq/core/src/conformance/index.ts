import { randomBytes } from 'node:crypto'
import { type DeadLetterEntry, isEvtError } from '@evt/core'
import { type ConformanceCase, expectThat, failureOf } from '@evt/core/conformance'
import type { DlqStore } from '../dlq-store.ts'

/** Every promise a dead-letter store must keep, on a fresh empty store each. */
export function dlqStoreCases(create: () => Promise<DlqStore>): readonly ConformanceCase[] {
  return [
    {
      name: 'a dead letter is read back as it was, whatever text and bytes it holds',
      async run() {
        const store = await create()
        const letter = sample('1', {
          key: 'half \ud800 NUL \0',
          reason: '\\ "quoted", NUL \0, half \ud800',
          payload: Uint8Array.from([0, 255, 34]),
        })
        await store.append([letter])
        const again = await store.get(letter.id)
        expectThat(again !== undefined && describe(again) === describe(letter), 'what was kept is read back unchanged')
        expectThat((await store.get('absent')) === undefined, 'what is not there is undefined')
      },
    },
    {
      name: 'texts of any length are kept, also a key that somebody else chose, and a letter without what could not be read',
      async run() {
        const store = await create()
        const key = randomBytes(5_000).toString('hex')
        const long = sample('1', {
          key,
          messageId: 'i'.repeat(512),
          event: 'e'.repeat(200),
          topic: 't'.repeat(800),
          consumer: 'c'.repeat(603),
          position: 'p'.repeat(200),
          source: 's'.repeat(512),
          contentType: 'x'.repeat(200),
          reason: 'r'.repeat(2_048),
          headers: { 'ce-id': 'h'.repeat(100_000) },
        })
        const unread = sample('2', { messageId: undefined, source: undefined, contentType: undefined, headers: {} })
        await store.append([long, unread])
        for (const letter of [long, unread]) {
          const again = await store.get(letter.id)
          expectThat(
            again !== undefined && describe(again) === describe(letter),
            'what was kept is read back unchanged',
          )
        }
        const blocked = await store.blockedKeys(long.consumer, long.topic, [key.slice(0, -1), key, 'k'])
        expectThat(blocked.join() === key, 'a long key is blocked by itself alone')
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
        const refused = await failureOf(store.list({}, { limit: 501 }))
        expectThat(refused !== undefined, 'a page of more than 500 is refused')
      },
    },
    {
      name: 'a filter or page that would be read as another one, or an id that is none, is refused by name',
      async run() {
        const store = await create()
        await store.append([sample('1')])
        const wrong: readonly (readonly [option: string, filter: object, page?: object])[] = [
          ['events', { events: 'order.created' }],
          ['consumer', { consumer: 5 }],
          ['from', { from: '2026-01-01' }],
          ['to', { to: new Date(Number.NaN) }],
          ['after', {}, { after: 'x' }],
          ['cursor', {}, { cursor: 5 }],
          ['limit', {}, { limit: 0 }],
        ]
        for (const [option, filter, page] of wrong) {
          const asks = [() => store.list(filter, page), ...(page === undefined ? [() => store.count(filter)] : [])]
          for (const ask of asks) {
            const error = await failureOf(ask())
            const named = isEvtError(error, 'EVT_OPTION_UNKNOWN', 'EVT_OPTION_INVALID') && error.details.option
            expectThat(named === option, `it is refused: ${option}`)
          }
        }
        const error = await failureOf(store.get(5 as never))
        expectThat(isEvtError(error, 'EVT_OPTION_INVALID') && error.details.option === 'id', 'an id is text')
      },
    },
    {
      name: 'filters and cursors of any text match what is equal and nothing else',
      async run() {
        const store = await create()
        const hostile = ["' or 1=1 --", '%', '_', 'NUL \0', 'half \ud800', '\u0001', '"}{\\', '$1', '']
        await store.append([sample('1'), ...hostile.map((text, index) => sample(`h${index}`, { consumer: text }))])
        for (const text of hostile) {
          const { entries } = await store.list({ consumer: text })
          expectThat(entries.length === 1 && entries[0]!.consumer === text, `one has ${JSON.stringify(text)}`)
          expectThat((await store.count({ event: text })) === 0, 'no event has such a name')
          await store.list({}, { cursor: text })
          expectThat((await store.get(text)) === undefined, 'no letter has such an id')
        }
        expectThat((await store.count()) === hostile.length + 1, 'nothing is lost')
      },
    },
    {
      name: 'letters that come while one pages through are no reason to skip or repeat another',
      async run() {
        const store = await create()
        const odd = ['id-\0', 'id-\ud800', 'id-\u0001', 'id-ü', 'ID-1', 'id-10', 'id-9', '\u0001x']
        await store.append(odd.map((id) => sample('1', { id, position: id })))
        const seen: string[] = []
        let cursor: string | undefined
        do {
          const page = await store.list({}, { limit: 1, cursor })
          seen.push(...page.entries.map((entry) => entry.id))
          await store.append([sample('0', { id: '\0first' })])
          cursor = page.cursor
        } while (cursor !== undefined)
        const old = seen.filter((id) => id !== '\0first')
        expectThat(old.length === odd.length && new Set(old).size === odd.length, 'each is seen once')
      },
    },
    {
      name: 'many processes that keep the same letters at once keep each once',
      async run() {
        const store = await create()
        const letters = Array.from({ length: 50 }, (_value, index) => sample(String(index)))
        await Promise.all([letters, [...letters].reverse(), letters].map((some) => store.append(some)))
        expectThat((await store.count()) === 50, 'each is kept once, and nobody deadlocks')
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
