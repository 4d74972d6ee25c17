import { type Codec, createBus, defineEvent, memoryTransport, type Outgoing, silentLogger, type } from '@evt/core'
import { memoryOutbox } from '../src/index.ts'
import { manualClock } from './manual-clock.ts'

const codec: Codec = {
  contentType: 'application/x-cents',
  encode: (payload) => Buffer.from(`${payload}¢`),
  decode: (bytes) => Number.parseInt(Buffer.from(bytes).toString(), 10),
}
const Created = defineEvent('order.created', { schema: type<{ id: string }>() })
const Paid = defineEvent('order.paid', { schema: type<number>(), codec })

test('a relayed message is as it was published, however late: time, source, trace, cause, metadata, content type and bytes', async () => {
  const clock = manualClock()
  const outbox = memoryOutbox({ relay: false })
  const memory = memoryTransport()
  const sent: Outgoing[] = []
  const transport: typeof memory = {
    ...memory,
    publish(batch) {
      sent.push(...batch)
      return memory.publish(batch)
    },
  }
  await using bus = createBus({ service: 'orders', transport, outbox, clock, logger: silentLogger })
  const stored: string[] = []
  await bus.subscribe(
    Created,
    (_order, delivery) =>
      outbox.run(async () => {
        const { id } = await delivery.publish(Paid, 250, { key: 'k', subject: 's', metadata: { tenant: 't' } })
        stored.push(id)
      }),
    { group: 'payment' },
  )
  const handled: unknown[] = []
  await bus.subscribe(Paid, (cents, { time }) => void handled.push([cents, time.getTime()]), { group: 'shipping' })
  const trace = {
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    tracestate: 'a=1',
    baggage: 'b=2',
  }
  await bus.publish(Created, { id: '1' }, { id: 'cause-1' })
  const [cause] = sent.splice(0)
  await memory.publish([{ ...cause!, id: 'cause-2', headers: { ...cause!.headers, 'ce-id': 'cause-2', ...trace } }])
  await clock.advance(0)
  const publishedMs = clock.nowMs()
  await clock.advance(3_600_000)
  expect(await outbox.relay.drain({ budgetMs: 1_000 })).toEqual({ published: 2, remaining: 0 })
  await clock.advance(0)
  const relayed = sent.find(({ headers }) => headers['ce-causationid'] === 'cause-2')!
  expect(stored).toContain(relayed.id)
  expect(relayed.key).toBe('k')
  expect(relayed.headers).toMatchObject({
    ...trace,
    'ce-id': relayed.id,
    'ce-type': 'order.paid',
    'ce-source': '/orders',
    'ce-time': new Date(publishedMs).toISOString(),
    'ce-subject': 's',
    'ce-correlationid': 'cause-2',
    'content-type': 'application/x-cents',
    tenant: 't',
  })
  expect(Buffer.from(relayed.payload).toString()).toBe('250¢')
  expect(handled).toEqual([
    [250, publishedMs],
    [250, publishedMs],
  ])
})
