import type { Transport } from '@evt/core'
import { transportCases } from '@evt/core/conformance'
import { startToyBroker, type ToyBroker } from '../src/toy-broker.ts'
import { toyTransport } from '../src/toy-transport.ts'

/** A broker for each transport, so that none sees what an earlier case left behind. */
const brokers = new Map<Transport, ToyBroker>()
const create = async () => {
  const broker = await startToyBroker()
  const transport = toyTransport({ port: broker.port })
  brokers.set(transport, broker)
  return transport
}
const join = async (transport: Transport) => toyTransport({ port: brokers.get(transport)!.port })
const restart = () => Promise.all([...brokers.values()].map((broker) => broker.restart())).then(() => undefined)
const dispose = async (transport: Transport) => {
  await brokers.get(transport)!.close()
  brokers.delete(transport)
}

describe('the toy transport', () => {
  for (const { name, run } of transportCases({ create, join, restart, dispose })) test(name, run, 120_000)
})
