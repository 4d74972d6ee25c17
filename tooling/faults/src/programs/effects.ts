import { setTimeout as delay } from 'node:timers/promises'
import type { Delivery } from '@evt/core'
import type { PgTransaction } from '@evt/pg'
import { seededRandom } from '@evt/testing'
import { machineMs } from '../machine-time.ts'
import type { Payload } from './messages.ts'
import { report } from './report.ts'
import type { WorkerProgram } from './specification.ts'
import { throwEvery } from './throwing.ts'

/** Handlers that write one effect per message, unguarded: a second run that commits is counted. */
export interface Effects {
  handle(payload: Payload, delivery: Delivery, transaction: PgTransaction): Promise<void>
  handleBatch(payloads: readonly Payload[], deliveries: readonly Delivery[], transaction: PgTransaction): Promise<void>
  /** The same with one statement, whatever the messages ask for. */
  handleBulk(payloads: readonly Payload[], deliveries: readonly Delivery[], transaction: PgTransaction): Promise<void>
  readonly mostRunning: number
}

const effect = `insert into fault_effects (consumer, message) select $1, unnest($2::text[])
  on conflict (consumer, message) do update set count = fault_effects.count + 1`
const sqlFailures = ['40001', '40P01']

export function createEffects(program: WorkerProgram): Effects {
  const random = seededRandom(program.seed)
  const [leastMs, mostMs] = program.handlerMs ?? [0, 0]
  const strike = program.throwing === true ? throwEvery(7) : () => undefined
  const blocked = new Set<number>()
  let firstMs: number | undefined
  let running = 0
  let mostRunning = 0

  const work = async (payload: Payload, delivery: Delivery, transaction: PgTransaction) => {
    if (mostMs > 0) await delay(leastMs + Math.floor(random() * (mostMs - leastMs + 1)))
    block(payload)
    firstMs ??= machineMs()
    if (machineMs() < firstMs + (program.failForMs ?? 0)) throw new Error('fails for a while')
    if (payload.failures < 0 || delivery.attempt <= payload.failures) throw new Error('fails on purpose')
    strike()
    if (random() < (program.sqlFailureShare ?? 0)) {
      const code = sqlFailures[Math.floor(random() * sqlFailures.length)]!
      await transaction.query(`do $$ begin raise exception 'on purpose' using errcode = '${code}'; end $$`)
    }
    await transaction.query(effect, [delivery.consumer, [delivery.id]])
  }
  const block = ({ number }: Payload) => {
    const { blockEvery, blockMs = 0 } = program
    if (blockEvery === undefined || number % blockEvery !== 0 || blocked.has(number)) return
    blocked.add(number)
    const untilMs = performance.now() + blockMs
    while (performance.now() < untilMs);
  }
  const handle: Effects['handle'] = async (payload, delivery, transaction) => {
    const { id: message, consumer, attempt } = delivery
    running += 1
    mostRunning = Math.max(mostRunning, running)
    report({ kind: 'start', message, consumer, key: payload.key, number: payload.number, attempt })
    try {
      await work(payload, delivery, transaction)
      report({ kind: 'end', message, consumer, as: 'returned' })
    } catch (error) {
      report({ kind: 'end', message, consumer, as: 'thrown' })
      throw error
    } finally {
      running -= 1
    }
  }
  return {
    handle,
    async handleBatch(payloads, deliveries, transaction) {
      for (const [index, payload] of payloads.entries()) await handle(payload, deliveries[index]!, transaction)
    },
    async handleBulk(payloads, deliveries, transaction) {
      const { consumer } = deliveries[0]!
      const ids = deliveries.map((delivery) => delivery.id)
      for (const [index, { id: message, attempt }] of deliveries.entries()) {
        const { key, number } = payloads[index]!
        report({ kind: 'start', message, consumer, key, number, attempt })
      }
      await transaction.query(effect, [consumer, ids])
      for (const message of ids) report({ kind: 'end', message, consumer, as: 'returned' })
    },
    get mostRunning() {
      return mostRunning
    },
  }
}
