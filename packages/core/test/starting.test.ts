import {
  createBus,
  defineEvent,
  memoryTransport,
  type StartAt,
  silentLogger,
  type Transport,
  type,
} from '../src/index.ts'

const Tick = defineEvent('tick', { schema: type<{ n: number }>() })

function startingAt(starts: Transport['supports']['starts']) {
  const memory = memoryTransport()
  const asked: StartAt[] = []
  const transport: Transport = {
    ...memory,
    supports: { ...memory.supports, starts },
    consume(spec, events) {
      asked.push(spec.from)
      return memory.consume(spec, events)
    },
  }
  return { asked, bus: createBus({ service: 'test', transport, logger: silentLogger }) }
}

it('starts a group at the earliest message and a broadcast at the latest', async () => {
  const { asked, bus } = startingAt(['earliest', 'latest'])
  await bus.subscribe(Tick, () => {}, { group: 'a' })
  await bus.subscribe(Tick, () => {}, { mode: 'broadcast' })
  expect(asked).toEqual(['earliest', 'latest'])
  await bus.close()
})

it('starts a group at the latest message where the transport keeps none from before, and refuses one that asks for more', async () => {
  const { asked, bus } = startingAt(['latest'])
  await bus.subscribe(Tick, () => {}, { group: 'a' })
  await expect(bus.subscribe(Tick, () => {}, { group: 'b', startAt: 'earliest' })).rejects.toMatchObject({
    code: 'EVT_OPTION_UNSUPPORTED',
    details: { option: 'startAt' },
  })
  expect(asked).toEqual(['latest'])
  await bus.close()
})
