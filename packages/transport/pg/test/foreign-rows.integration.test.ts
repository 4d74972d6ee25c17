import { createBus, defineEvent, silentLogger, type } from '@evt/core'
import { consume, drain, message, topic, until } from './harness.ts'
import { freshTransport } from './rig.ts'

const Created = defineEvent('order.created', { schema: type<{ n: number }>() })
const place = freshTransport()

test.each([
  'no JSON',
  '',
  'null',
  '7',
  '"text"',
  '[]',
  '{"a":"b"},{"c":"d"}',
  '{"ce-id":5,"ce-type":["order.created"]}',
])(
  'headers that another program wrote as %j are dead-lettered, and hold up and change no other message',
  async (headers) => {
    await using bus = createBus({ service: 'orders', transport: place.transport, logger: silentLogger, onError() {} })
    const seen: string[] = []
    await bus.publish(Created, { n: 1 }, { metadata: { sign: 'one' } })
    await place.database.pool.query(
      `select evt_transport_publish(array[id], array[0], array[null::text], array[$1], array['{"n":2}'::bytea]) from evt_transport_topic`,
      [headers],
    )
    await bus.publish(Created, { n: 3 }, { metadata: { sign: 'three' } })
    await bus.subscribe(Created, ({ n }, { metadata }) => void seen.push(`${n} ${metadata.sign}`), { group: 'a' })
    const letters = () => place.transport.readDeadLetters('evt.order.created', { after: undefined, limit: 10 })
    await until(async () => seen.length === 2 && (await letters()).length === 1)
    expect(seen).toEqual(['1 one', '3 three'])
    expect(Buffer.from((await letters())[0]!.payload).toString()).toBe('{"n":2}')
  },
)

test('a key that another program wrote in a form that is ours by half holds up nothing', async () => {
  await using bus = createBus({ service: 'orders', transport: place.transport, logger: silentLogger, onError() {} })
  const seen: number[] = []
  await bus.publish(Created, { n: 1 })
  await place.database.pool.query(
    'insert into evt_transport_message (topic_id, partition, epoch, key, headers, payload) select topic_id, partition, epoch, $1, headers, payload from evt_transport_message',
    ['\u0001"'],
  )
  await bus.subscribe(Created, ({ n }) => void seen.push(n), { group: 'a' })
  await until(() => seen.length === 2)
})

test('a message that the server will not store is refused by itself, and holds up and changes no other', async () => {
  const { transport, database } = place
  await transport.open()
  await database.pool.query(
    `create function look() returns trigger language plpgsql as $$ begin
       if new.key = 'bad' then raise exception using errcode = '22023', message = 'not such a key'; end if;
       return new; end $$;
     create trigger look before insert on evt_transport_message for each row execute function look()`,
  )
  await consume(transport, 'a')
  const keys = ['1', 'bad', '2', '3', 'bad', '4', '5']
  const failures = await transport.publish(keys.map((key, index) => message(`${key} ${index}`, key)))
  expect(failures.map(({ index, outcome }) => [index, outcome])).toEqual([
    [1, 'refused'],
    [4, 'refused'],
  ])
  expect(failures[0]!.error).toMatchObject({ code: 'EVT_PG_DATA_REFUSED' })
  expect(await drain(await consume(transport, 'b'), 5)).toEqual(['1 0', '2 2', '3 3', '4 5', '5 6'])
})

test.each(['no JSON', '', 'null', '7', '{"a":1}'])(
  'errors that another program wrote beside a dead letter as %j count for none, and hold up no other letter',
  async (history) => {
    await place.transport.publish([message('one'), message('two')])
    const consumer = await consume(place.transport, 'a')
    const held = await consumer.read({ messages: 2, bytes: 1_000 }, AbortSignal.timeout(10_000))
    await consumer.settle(held.map((delivery) => ({ delivery, as: 'deadLetter', reason: 'no', history: [] })))
    await place.database.pool.query('update evt_transport_dead_letter set history = $1 where position = $2', [
      history,
      held[0]!.position,
    ])
    const letters = await place.transport.readDeadLetters(topic, { after: undefined, limit: 10 })
    expect(letters.map((letter) => letter.history)).toEqual([[], []])
    await consumer.close()
  },
)
