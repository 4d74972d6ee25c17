import { systemClock, type Transport } from '@evt/core'
import { type FreshKafka, kafka } from '@evt/servers'
import { type KafkaMember, kafkajsClient, kafkaTransport, type MemberEvents } from '../src/index.ts'
import { loadKafkajs, openCluster } from '../src/kafkajs/cluster.ts'
import { kafkajsMember } from '../src/kafkajs/member.ts'
import { acks, consumeAs, eventually, numberOf, outgoing, readSome, topic } from './raw.ts'

const quiet: MemberEvents = {
  revoking: async () => {},
  assigned: async () => new Map(),
  fetched() {},
  wants: () => false,
  outOfRange: async () => 0,
  lost() {},
  topicMissing: async () => {},
  failing() {},
}

kafka.describe('sessions of a group on Kafka', () => {
  let place: FreshKafka
  let transport: Transport
  const group = () => `${place.prefix}.test/a:${place.prefix}.${topic}`
  const join = (events: Partial<MemberEvents>): KafkaMember =>
    kafkajsClient({ brokers: place.brokers }).join(
      { group: group(), topic: `${place.prefix}.${topic}`, sessionMs: 10_000, rebalanceMs: 10_000 },
      { ...quiet, ...events },
    )
  beforeEach(async () => {
    place = await kafka.fresh()
    transport = kafkaTransport({ brokers: place.brokers, prefix: `${place.prefix}.` })
    await transport.open()
    await transport.declare({ name: topic, partitions: 2 })
  })
  afterEach(async () => {
    await transport.close()
    await place.drop()
  })

  test('a leader that goes before it has set where a new group begins leaves that to the next, and nobody waits for long', async () => {
    let sessions = 0
    // It leads, and never says where the group begins.
    const leader = join({
      async assigned() {
        sessions += 1
        return new Map()
      },
    })
    await eventually(() => sessions === 1, 'the leader has joined')
    const consuming = consumeAs(transport, 'a')
    await eventually(() => sessions === 2, 'another member has joined')
    const atMs = performance.now()
    await leader.leave()
    const consumer = await consuming
    expect(await transport.publish([outgoing(1)])).toEqual([])
    const read = await readSome(consumer, 1)
    expect(read.map(numberOf)).toEqual([1])
    expect(performance.now() - atMs).toBeLessThan(8_000)
    await consumer.settle(acks(read))
    await consumer.close()
  }, 90_000)

  test('who gets no answer to its heartbeats any more gives up what it holds before others have it', async () => {
    const kafkajs = await loadKafkajs({ brokers: [...place.brokers], clientId: 'silent' })
    const events: string[] = []
    let isSilent = false
    // A connection that is open at this end only: nothing comes back until the client itself gives up.
    const open = async () => {
      const cluster = await openCluster(kafkajs)
      const find = cluster.findGroupCoordinator.bind(cluster)
      const findGroupCoordinator = async (wanted: { groupId: string }) => {
        const broker = await find(wanted)
        const heartbeat = broker.heartbeat.bind(broker)
        broker.heartbeat = (request) => (isSilent ? silence() : heartbeat(request))
        return broker
      }
      return { cluster: Object.assign(cluster, { findGroupCoordinator }), encoders: kafkajs.encoders }
    }
    const silence = () =>
      new Promise<never>((_resolve, reject) => {
        systemClock.startTimer(() => reject(new Error('Request timed out')), 10_000)
      })
    const options = { group: group(), topic: `${place.prefix}.${topic}`, sessionMs: 6_000, rebalanceMs: 10_000 }
    const silent = kafkajsMember({
      open,
      clock: systemClock,
      options,
      events: {
        ...quiet,
        assigned: noted('silent has it', new Map()),
        lost: () => void events.push('silent gives up'),
      },
    })
    function noted(event: string, places: ReadonlyMap<number, number>) {
      return async () => {
        events.push(event)
        return places
      }
    }
    await eventually(() => events.length === 1, 'the first has joined')
    isSilent = true
    const next = join({ assigned: noted('next has it', new Map()) })
    await eventually(() => events.includes('next has it') && events.includes('silent gives up'), 'both know')
    await Promise.all([silent.leave(), next.leave()])
    expect(events.indexOf('silent gives up')).toBeLessThan(events.indexOf('next has it'))
  }, 90_000)
})
