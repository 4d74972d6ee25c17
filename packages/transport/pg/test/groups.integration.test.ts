import type { TransportDelivery } from '@evt/core'
import { pgTransport } from '../src/index.ts'
import { consume, drain, message, quietMs, textOf, topic, until } from './harness.ts'
import { freshTransport } from './rig.ts'

const place = freshTransport()
beforeEach(async () => {
  await place.transport.declare({ name: topic, partitions: undefined })
})
const range = (count: number) => Array.from({ length: count }, (_value, index) => index)
const stored = (text: string) => ({ ...message(text), transport: 'pg' })

test('a message that commits after many later ones is not skipped, in 20 rounds', async () => {
  const consumer = await consume(place.transport, 'a')
  for (const round of range(20)) {
    const client = await place.database.pool.connect()
    await client.query('begin')
    // It has its id, lower than all that follow, and is not visible yet.
    await place.transport.append(client, [stored(`late ${round}`)])
    await place.transport.publish(range(25).map((n) => message(`${round}.${n}`)))
    expect((await drain(consumer, 25)).length).toBe(25)
    await place.transport.trim(topic)
    await client.query('commit')
    client.release()
    expect(await drain(consumer, 1)).toEqual([`late ${round}`])
  }
})

test('a group created while messages are published and transactions are open gets each of them once', async () => {
  const texts: string[] = []
  let stop = false
  const publishers = range(6).map(async (publisher) => {
    for (let n = 0; !stop; n += 1) {
      const text = `${publisher}.${n}`
      texts.push(text)
      if (publisher % 2 === 0) await place.transport.publish([message(text)])
      else {
        const client = await place.database.pool.connect()
        await client.query('begin')
        await place.transport.append(client, [stored(text)])
        await client.query('select pg_sleep(0.002)')
        await client.query('commit')
        client.release()
      }
    }
  })
  const open = await place.database.pool.connect()
  await open.query('begin')
  await place.transport.append(open, [stored('before the groups')])
  await until(() => texts.length > 50)
  const consumers = await Promise.all(range(4).map((n) => consume(place.transport, `group${n}`)))
  await until(() => texts.length > 200)
  stop = true
  await Promise.all(publishers)
  await place.transport.trim(topic)
  await open.query('commit')
  open.release()
  const wanted = [...texts, 'before the groups'].sort()
  for (const consumer of consumers) {
    expect((await drain(consumer, wanted.length)).sort()).toEqual(wanted)
    expect(await drain(consumer, 1, quietMs)).toEqual([])
  }
})

test('every kind of settlement is refused once the lease is lost, and has no effect', async () => {
  const slow = await consume(place.transport, 'a', { leaseMs: 50 })
  const next = await consume(place.transport, 'a')
  await place.transport.publish(range(5).map((n) => message(String(n))))
  const signal = AbortSignal.timeout(10_000)
  const late = await slow.read({ messages: 5, bytes: 1_000_000 }, signal)
  const owned: TransportDelivery[] = []
  while (owned.length < 5) owned.push(...(await next.read({ messages: 5, bytes: 1_000_000 }, signal)))
  const refused = await slow.settle([
    { delivery: late[0]!, as: 'ack' },
    { delivery: late[1]!, as: 'release', attempt: 9 },
    { delivery: late[2]!, as: 'retry', attempt: 9, afterMs: 0 },
    { delivery: late[3]!, as: 'deadLetter', reason: 'no', history: [] },
    { delivery: late[4]!, as: 'started' },
  ])
  expect(refused.map((refusal) => textOf(refusal.delivery))).toEqual(late.map(textOf))
  expect(await place.transport.readDeadLetters(topic, { after: undefined, limit: 10 })).toEqual([])
  expect(await next.settle(owned.map((delivery) => ({ delivery, as: 'ack' })))).toEqual([])
  expect((await place.transport.inspect(topic))[0]).toMatchObject({ lag: 0, running: 0, delayed: 0 })
})

test('a run that was recorded as started counts as an attempt when its process dies, a mere hand-over does not', async () => {
  const signal = AbortSignal.timeout(10_000)
  const read = async (leaseMs: number) => {
    const consumer = await consume(place.transport, 'a', { leaseMs })
    const read: TransportDelivery[] = []
    while (read.length < 2) read.push(...(await consumer.read({ messages: 2 - read.length, bytes: 1_000_000 }, signal)))
    return { consumer, read }
  }
  await place.transport.publish([message('started'), message('only read')])
  const first = await read(50)
  await first.consumer.settle([{ delivery: first.read[0]!, as: 'started' }])
  const second = await read(30_000)
  const found = second.read.map((each) => [textOf(each), each.attempt, each.deliveries, each.suspect])
  expect(found.sort()).toEqual([
    ['only read', 1, 2, true],
    ['started', 2, 2, true],
  ])
})

test('a partition stays with its owner while that holds anything of it, and goes on in order after its death', async () => {
  const ordered = { topic: 'evt.ordered', ordered: 'group' } as const
  await place.transport.declare({ name: ordered.topic, partitions: 4 })
  const dying = await consume(place.transport, 'a', { ...ordered, leaseMs: 1_000 })
  const next = await consume(place.transport, 'a', ordered)
  const texts = range(300).map(String)
  for (const part of [texts.slice(0, 100), texts.slice(100, 200), texts.slice(200)])
    await place.transport.publish(part.map((text) => message(text, 'one key', ordered.topic)))
  const signal = AbortSignal.timeout(10_000)
  const sentMs = performance.now()
  const held = await dying.read({ messages: 50, bytes: 1_000_000 }, signal)
  // It settles some from the middle and is never heard of again.
  await dying.settle([
    { delivery: held[20]!, as: 'ack' },
    { delivery: held[49]!, as: 'release', attempt: 1 },
  ])
  const read: string[] = []
  while (read.length < 299) {
    const batch = await next.read({ messages: 7, bytes: 1_000_000 }, signal)
    if (read.length === 0) expect(performance.now() - sentMs).toBeGreaterThan(990)
    read.push(...batch.map(textOf))
    await next.settle(batch.map((delivery) => ({ delivery, as: 'ack' })))
  }
  expect(read).toEqual(texts.filter((text) => text !== '20'))
})

test('an ephemeral reader that is not heard of is removed with what it had to read; others stay', async () => {
  await consume(place.transport, 'durable')
  await place.transport.consume(
    {
      topic,
      consumer: 'test/live@1',
      as: { reader: 'ephemeral' },
      from: 'latest',
      ordered: 'none',
      leaseMs: 1_000,
    },
    { revoking: async () => {}, lost() {}, cut() {}, recreated() {} },
  )
  await place.transport.publish([message('one')])
  await place.database.pool.query(`update evt_transport_group set seen_at = now() - interval '59 minutes'`)
  await place.transport.trim(topic)
  expect((await place.transport.inspect(topic)).length).toBe(2)
  await place.database.pool.query(`update evt_transport_group set seen_at = now() - interval '61 minutes'`)
  await place.transport.trim(topic)
  expect((await place.transport.inspect(topic)).map((state) => state.consumer)).toEqual(['test/durable'])
  const { rows } = await place.database.pool.query(
    'select count(distinct group_id)::int as groups from evt_transport_parcel',
  )
  expect(rows[0].groups).toBe(1)
})

test('the group of an ephemeral reader goes when it closes, with what it had to read; that of a durable one stays', async () => {
  const live = await consume(place.transport, 'live', { as: { reader: 'ephemeral' }, from: 'latest' })
  const durable = await consume(place.transport, 'durable', { as: { reader: 'durable' }, from: 'latest' })
  await place.transport.publish([message('one')])
  for (const reader of [live, durable]) await reader.close()
  expect((await place.transport.inspect(topic)).map((state) => state.consumer)).toEqual(['test/durable'])
  const { rows } = await place.database.pool.query('select count(*)::int as parcels from evt_transport_parcel')
  expect(rows).toEqual([{ parcels: 1 }])
})

test('a group or a topic that somebody removed is made again, and said so', async () => {
  const told: string[] = []
  const events = { recreated: (what: string) => void told.push(what), cut: () => void told.push('cut') }
  const consumer = await consume(place.transport, 'a', {}, events)
  await place.transport.publish([message('one')])
  expect(await drain(consumer, 1)).toEqual(['one'])
  await place.database.pool.query(
    'truncate evt_transport_topic, evt_transport_group, evt_transport_message, evt_transport_parcel',
  )
  const reading = drain(consumer, 1)
  await until(() => told.length === 2)
  await until(async () => (await place.transport.publish([message('two')])).length === 0)
  expect(await reading).toEqual(['two'])
  expect(told).toEqual(['cut', 'group test/a'])
})

test('a reader that waits notices at the next poll that its group is gone, though nobody leaves anything for it', async () => {
  const told: string[] = []
  const consumer = await consume(place.transport, 'a', {}, { recreated: (what) => void told.push(what) })
  const reading = drain(consumer, 1)
  await new Promise((resolve) => setTimeout(resolve, quietMs))
  await place.database.pool.query('delete from evt_transport_group')
  const elsewhere = pgTransport({ pool: place.database.pool })
  await elsewhere.publish([message('one')])
  await elsewhere.close()
  await until(() => told.length === 1, 5_000)
  expect(await reading).toEqual(['one'])
  expect(told).toEqual(['group test/a'])
})

test('messages that somebody removed from the table are reported and hold nothing up', async () => {
  const cuts: (number | null)[] = []
  const consumer = await consume(place.transport, 'a', {}, { cut: (count) => void cuts.push(count) })
  await place.transport.publish(range(5).map((n) => message(String(n))))
  await place.database.pool.query(`delete from evt_transport_message where convert_from(payload, 'UTF8') < '3'`)
  await place.transport.publish([message('5')])
  expect(await drain(consumer, 3)).toEqual(['3', '4', '5'])
  await place.transport.publish([message('6')])
  await place.database.pool.query('delete from evt_transport_message')
  await place.transport.publish([message('7')])
  expect(await drain(consumer, 1)).toEqual(['7'])
  expect(cuts.reduce<number>((sum, count) => sum + count!, 0)).toBe(4)
  expect((await place.transport.inspect(topic))[0]).toMatchObject({ lag: 0, running: 0 })
})

test('hundreds of removed messages in parcels of their own are passed over in one read and told once', async () => {
  const cuts: (number | null)[] = []
  const consumer = await consume(place.transport, 'a', {}, { cut: (count) => void cuts.push(count) })
  for (const n of range(300)) await place.transport.publish([message(String(n))])
  await place.database.pool.query('delete from evt_transport_message')
  await place.transport.publish([message('behind them')])
  const read = await consumer.read({ messages: 10, bytes: 1_000_000 }, AbortSignal.timeout(10_000))
  expect(read.map(textOf)).toEqual(['behind them'])
  expect(cuts).toEqual([300])
})
