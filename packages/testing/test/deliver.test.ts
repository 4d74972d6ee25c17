import {
  type AnyEvent,
  defineEvent,
  type EventDefinition,
  type Middleware,
  on,
  onAny,
  onBatch,
  onEverything,
  reject,
  retry,
  systemClock,
  type,
} from '@evt/core'
import { z } from 'zod'
import { createVirtualClock, deliver } from '../src/index.ts'

const Asked: EventDefinition<'asked', { id: string }> = defineEvent('asked', {
  schema: z.object({ id: z.string() }),
  key: (asked) => asked.id,
})
const Answered: EventDefinition<'answered', { id: string }> = defineEvent('answered', {
  schema: type<{ id: string }>(),
})
const options = { group: 'a' } as const

test('what the handler returned and what it published itself is answered with the acknowledgement', async () => {
  const answer = on(
    Asked,
    async ({ id }, delivery) => {
      await delivery.publish(Answered, { id: `${id}-early` })
      return Answered.of({ id })
    },
    options,
  )
  const { outcome, published } = await deliver(answer, Asked, { id: '1' })
  expect(outcome).toEqual({ status: 'ack' })
  expect(published.map(({ event, payload }) => [event.name, payload])).toEqual([
    ['answered', { id: '1-early' }],
    ['answered', { id: '1' }],
  ])
  expect(published[1]).toEqual(Answered.of({ id: '1' }))
})

test('what a handler publishes in a transaction of its own, as exactlyOnce does, is answered too', async () => {
  const answer = on(
    Asked,
    async ({ id }, delivery) => {
      await delivery.publishDerived([Answered.of({ id })], { transaction: { of: 'the handler' } })
    },
    options,
  )
  const { outcome, published } = await deliver(answer, Asked, { id: '1' })
  expect(outcome).toEqual({ status: 'ack' })
  expect(published).toEqual([Answered.of({ id: '1' })])
})

test('the retry policy decides: a gap before the last attempt, a reject after it, and what the error is classified as', async () => {
  const fails = on(
    Asked,
    () => {
      throw new TypeError('broken')
    },
    { ...options, retry: { attempts: 3, backoff: { minMs: 100, factor: 2, jitter: false } } },
  )
  const error = new TypeError('broken')
  const runs = await Promise.all([1, 2, 3].map((attempt) => deliver(fails, Asked, { id: '1' }, { attempt })))
  expect(runs.map((run) => run.outcome)).toEqual([
    { status: 'retry', afterMs: 100, error, counted: true },
    { status: 'retry', afterMs: 200, error, counted: true },
    { status: 'reject', error, exhausted: true },
  ])
  const classified = { ...fails, options: { ...fails.options, retry: { classify: () => 'reject' as const } } }
  expect((await deliver(classified, Asked, { id: '1' })).outcome).toEqual({ status: 'reject', error })
})

test('retry and reject of the handler are answered with their cause, and nothing runs twice', async () => {
  let runs = 0
  const again = on(
    Asked,
    () => {
      runs += 1
      retry('busy', { afterMs: 0, counted: false })
    },
    options,
  )
  expect((await deliver(again, Asked, { id: '1' })).outcome).toEqual({
    status: 'retry',
    afterMs: 0,
    error: 'busy',
    counted: false,
  })
  expect(runs).toBe(1)
  const never = on(Asked, () => reject('never'), options)
  expect((await deliver(never, Asked, { id: '1' })).outcome).toEqual({ status: 'reject', error: 'never' })
})

test('messages of a run that failed are not among the published', async () => {
  const wrong = on(Asked, () => [Answered.of({ id: '1' }), 'rubbish' as never], options)
  const { outcome, published } = await deliver(wrong, Asked, { id: '1' })
  expect(outcome).toMatchObject({ status: 'reject', error: { code: 'EVT_HANDLER_RESULT' } })
  expect(published).toEqual([])
})

test('a payload that its schema refuses is rejected before the handler runs', async () => {
  let ran = false
  const handle = on(
    Asked,
    () => {
      ran = true
    },
    options,
  )
  const { outcome } = await deliver(handle, Asked, { id: 5 } as never)
  expect(outcome).toMatchObject({ status: 'reject', error: { code: 'EVT_PAYLOAD_INVALID' } })
  expect(ran).toBe(false)
})

test('the payload goes through its schema twice, as it does when it is published and read', async () => {
  const Marked = defineEvent('marked', { schema: z.string().transform((text) => `${text}!`) })
  const seen: string[] = []
  await deliver(
    on(Marked, (text) => void seen.push(text), options),
    Marked,
    'a',
  )
  expect(seen).toEqual(['a!!'])
})

test('a middleware that looks at a payload that cannot be read has it rejected, one that throws or answers nothing has it retried', async () => {
  const looks: Middleware = {
    name: 'looks',
    consume: (delivery, next) => (delivery.payload === undefined ? next() : next()),
  }
  const throws: Middleware = {
    name: 'throws',
    consume: async () => {
      throw new Error('middleware')
    },
  }
  const forgets: Middleware = { name: 'forgets', consume: async () => undefined as never }
  const handle = on(Asked, () => {}, options)
  expect((await deliver(handle, Asked, { id: '1' }, { use: [forgets] })).outcome).toMatchObject({
    status: 'retry',
    error: new Error('A middleware answered no outcome'),
  })
  expect((await deliver(handle, Asked, { id: 5 } as never, { use: [looks] })).outcome).toMatchObject({
    status: 'reject',
    error: { code: 'EVT_PAYLOAD_INVALID' },
  })
  expect((await deliver(handle, Asked, { id: '1' }, { use: [throws] })).outcome).toMatchObject({
    status: 'retry',
    error: new Error('middleware'),
  })
})

test('middleware of the bus and of the subscription runs around the handler, in that order', async () => {
  const seen: string[] = []
  const named = (name: string): Middleware => ({
    name,
    async consume(_delivery, next) {
      seen.push(name)
      return next()
    },
  })
  const handle = on(Asked, () => void seen.push('handler'), { ...options, use: [named('subscription')] })
  await deliver(handle, Asked, { id: '1' }, { use: [named('bus')] })
  expect(seen).toEqual(['bus', 'subscription', 'handler'])
})

test('the delivery carries what was said about the message', async () => {
  const seen: unknown[] = []
  const handle = on(
    Asked,
    (_asked, d) => void seen.push([d.id, d.key, d.attempt, d.lastAttempt, d.metadata.tenant, d.time, d.consumer]),
    { ...options, retry: { attempts: 2 } },
  )
  const time = new Date('2026-02-03T00:00:00Z')
  await deliver(
    handle,
    Asked,
    { id: 'k' },
    { id: 'm-1', attempt: 2, metadata: { tenant: 'acme' }, time, service: 'orders' },
  )
  expect(seen).toEqual([['m-1', 'k', 2, true, 'acme', time, 'orders/a']])
})

test('a handler that outlives its time-out is retried, whatever it makes of it', async () => {
  const clock = createVirtualClock()
  let runs = 0
  const slow = on(
    Asked,
    (_asked, { signal }) => {
      runs += 1
      return new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
    },
    { ...options, timeoutMs: 10_000 },
  )
  const delivered = deliver(slow, Asked, { id: '1' }, { clock })
  await clock.advance(60_000)
  expect((await delivered).outcome).toMatchObject({ status: 'retry', error: { code: 'EVT_HANDLER_TIMEOUT' } })
  expect(runs).toBe(1)
})

test('a handler that does not end makes deliver reject, naming event and message', async () => {
  const hung = on(Asked, () => new Promise(() => {}), options)
  await expect(deliver(hung, Asked, { id: '1' }, { id: 'm-1', deadlineMs: 50 })).rejects.toMatchObject({
    code: 'EVT_TESTING_STUCK',
    message: 'Not settled after 50 ms: the handler of "asked" m-1 has not ended',
  })
})

test('batches, several events, everything and broadcasts are delivered to as well', async () => {
  const seen: string[] = []
  const batch = onBatch(
    Asked,
    async (asked, { deliveries }) => {
      seen.push(`batch of ${asked.length}`)
      await deliveries[0]!.publish(Answered, { id: 'b' })
    },
    { ...options, batch: { maxItems: 50 } },
  )
  const any = onAny({ Asked, Answered }, (delivery) => void seen.push(`any ${delivery.type}`), options)
  const everything = onEverything((delivery) => void seen.push(`everything ${delivery.type}`), {
    mode: 'broadcast',
    transport: 'kafka',
  })
  expect((await deliver(batch, Asked, { id: '1' })).published).toEqual([Answered.of({ id: 'b' })])
  await deliver(any, Answered, { id: '1' })
  await deliver(everything, Asked, { id: '1' })
  expect(seen).toEqual(['batch of 1', 'any answered', 'everything asked'])
})

test('the definition that is delivered to stays as it is and can be delivered to again', async () => {
  const handle = on(Asked, ({ id }) => Answered.of({ id }), {
    ...options,
    afterDeadLetter: 'blockKey',
  })
  const before = { ...handle.options }
  const [first, second] = [await deliver(handle, Asked, { id: '1' }), await deliver(handle, Asked, { id: '2' })]
  expect([first.published.length, second.published.length]).toEqual([1, 1])
  expect(handle.options).toEqual(before)
})

test('an event that is not read, a message nobody could publish, another clock and an unknown option are refused', async () => {
  const handle = on(Asked, () => {}, options)
  const other: AnyEvent = Answered
  await expect(deliver(handle, other, { id: '1' })).rejects.toMatchObject({ code: 'EVT_OPTION_INVALID' })
  await expect(deliver(undefined as never, Asked, { id: '1' })).rejects.toMatchObject({
    details: { option: 'subscription' },
  })
  await expect(deliver(handle, Asked, { id: '1' }, { id: '' })).rejects.toMatchObject({ code: 'EVT_ENVELOPE_INVALID' })
  await expect(deliver(handle, Asked, { id: '1' }, { metadata: { 'ce-id': 'x' } })).rejects.toMatchObject({
    code: 'EVT_METADATA_INVALID',
  })
  await expect(deliver(handle, Asked, { id: '1' }, { clock: systemClock as never })).rejects.toThrow(
    /createVirtualClock/,
  )
  await expect(deliver(handle, Asked, { id: '1' }, { attempts: 2 } as never)).rejects.toMatchObject({
    code: 'EVT_OPTION_UNKNOWN',
  })
})
