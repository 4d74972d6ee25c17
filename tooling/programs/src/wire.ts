/** What may travel: schemas of three libraries that accept their own output after JSON. */
import assert from 'node:assert/strict'
import { createBus, defineEvent, type InputOf, memoryTransport, type PayloadOf, type } from '@evt/core'
import { type as ark } from 'arktype'
import * as v from 'valibot'
import { z } from 'zod'

const Node = z.object({
  name: z.string(),
  get children() {
    return z.array(Node)
  },
})
interface Tree {
  readonly name: string
  readonly children: readonly Tree[]
}
export const Branded = defineEvent('wire.branded', {
  schema: z.object({ id: z.string().brand<'OrderId'>(), email: z.email(), url: z.url() }),
})
export const Loose = defineEvent('wire.loose', {
  schema: z.object({ any: z.any(), unknown: z.unknown(), json: z.json(), record: z.record(z.string(), z.number()) }),
})
export const Union = defineEvent('wire.union', {
  schema: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('a'), x: z.number().optional() }),
    z.object({ kind: z.literal('b'), y: z.tuple([z.string(), z.number()]) }),
  ]),
})
export const Recursive = defineEvent('wire.recursive', { schema: Node })
export const TypedTree = defineEvent('wire.typed-tree', { schema: type<Tree>() })
export const Zoned = defineEvent('wire.zoned', {
  schema: z.object({ at: z.iso.datetime().transform((text) => new Date(text)) }),
})
export const Piped = defineEvent('wire.piped', {
  schema: v.object({
    at: v.pipe(
      v.string(),
      v.isoTimestamp(),
      v.transform((text) => new Date(text)),
    ),
  }),
})
export const Ark = defineEvent('wire.ark', {
  schema: ark({ id: 'string', 'note?': 'string' }),
  key: (payload) => payload.id,
})
export const Nothing = defineEvent('wire.nothing', { schema: z.void() })
export const ReadOnly = defineEvent('wire.read-only', {
  schema: z.object({ tags: z.array(z.string()).readonly(), memo: z.string().nullable().default(null) }),
})
export const Coded = defineEvent('wire.coded', {
  schema: z.object({
    at: z.codec(z.iso.datetime(), z.date(), { decode: (text) => new Date(text), encode: (date) => date.toISOString() }),
  }),
})

const bus = createBus({ service: 'wire', transport: memoryTransport({ confirm: 'settled' }) })
const at = '2026-01-01T00:00:00.000Z' satisfies InputOf<typeof Zoned>['at']
const date: PayloadOf<typeof Coded>['at'] = new Date(at)
const arrived: unknown[] = []
const keep = (payload: unknown) => void arrived.push(payload)
const options = { group: 'all' }
const tree = { name: 'root', children: [{ name: 'leaf', children: [] }] }

await bus.subscribe(Branded, keep, options)
await bus.subscribe(Loose, keep, options)
await bus.subscribe(Union, keep, options)
await bus.subscribe(Recursive, (node) => keep(node.children[0]?.children[0]?.name ?? node), options)
await bus.subscribe(TypedTree, keep, options)
await bus.subscribe(Zoned, keep, options)
await bus.subscribe(Piped, keep, options)
await bus.subscribe(Ark, (payload) => keep(payload.note?.length ?? payload), options)
await bus.subscribe(Nothing, keep, options)
await bus.subscribe(ReadOnly, keep, options)
await bus.subscribe(Coded, keep, options)

await bus.publish(Branded, { id: '1', email: 'a@b.example', url: 'https://b.example' })
await bus.publish(Loose, { any: 1, unknown: null, json: [1, { a: null }], record: { a: 1 } })
await bus.publish(Union, { kind: 'b', y: ['text', 1] })
await bus.publish(Recursive, tree)
await bus.publish(TypedTree, tree)
await bus.publish(Zoned, { at })
await bus.publish(Piped, { at })
await bus.publish(Ark, { id: '1' })
await bus.publish(Nothing, undefined)
await bus.publish(ReadOnly, { tags: ['a'] })
await bus.publish(Coded, { at })
await bus.close()

assert.deepEqual(arrived, [
  { id: '1', email: 'a@b.example', url: 'https://b.example' },
  { any: 1, unknown: null, json: [1, { a: null }], record: { a: 1 } },
  { kind: 'b', y: ['text', 1] },
  tree,
  tree,
  { at: date },
  { at: date },
  { id: '1' },
  undefined,
  { tags: ['a'], memo: null },
  { at: date },
])
