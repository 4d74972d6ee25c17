import { type Consumer, crashPoint, type Settlement } from '@evt/core'
import { redisFailure, runScripts } from '@evt/redis'
import type { ConsumerParts } from './consumer-parts.ts'
import { receiptOf } from './deliveries.ts'
import { createGroup } from './group.ts'
import { createReader } from './reader.ts'
import { byStream, refusalOf } from './settlements.ts'

const leaveLimitMs = 2_000

/** Reads a topic as a group. Everything it holds hangs on one session, which every settlement and every renewal checks. */
export async function redisConsumer(parts: ConsumerParts): Promise<Consumer> {
  const { options, scripts, topic, spec, events } = parts
  const { client, clock } = options
  const group = createGroup(client, scripts, topic, spec)
  const reader = await createReader(parts, group)
  let closing: Promise<void> | undefined

  const settle = async (batch: readonly Settlement[]) => {
    const session = reader.session
    const { streams, refusals } = byStream(batch, session)
    if (streams.length === 0) return refusals
    for (const { released } of streams) reader.forget(released)
    const sentMs = clock.monotonicMs()
    const results = await runScripts(
      client,
      streams.map(({ label, acknowledged, others }) =>
        group.settle(session, label, [acknowledged.length, ...acknowledged, ...others]),
      ),
    )
    const failed = results.find((result) => result instanceof Error)
    // Those that succeeded are settled again without effect.
    if (failed !== undefined) throw redisFailure(failed, `Settling for ${spec.consumer}`)
    crashPoint('transport.settled')
    let gone = 0
    for (let index = 0; index < streams.length; index += 1) {
      const result = Number(results[index])
      const stream = streams[index]!
      reader.forget(stream.batch)
      if (result < 0) refusals.push(...stream.batch.map(refusalOf))
      else gone += result
    }
    if (refusals.length === 0) reader.renewed(session, sentMs)
    else reader.lookWithin(0)
    if (gone > 0) events.cut(gone, 'retention removed messages that were to be retried or dead-lettered')
    for (const settlement of batch) {
      if (settlement.as === 'release') reader.lookWithin(0)
      else if (settlement.as === 'retry') reader.lookWithin(settlement.afterMs)
    }
    return refusals
  }
  const leave = async () => {
    await reader.close()
    // Where the server does not answer, the session ends by itself.
    await new Promise<void>((resolve) => {
      const timer = clock.startTimer(resolve, leaveLimitMs)
      group
        .leave(reader.session)
        .catch(() => undefined)
        .finally(() => {
          timer.cancel()
          resolve()
        })
    })
  }
  return {
    read: (room, signal) => reader.read(room, signal),
    settle,
    async extend(held) {
      const session = reader.session
      const own = held.filter((delivery) => receiptOf(delivery).session === session)
      if (own.length === 0) return held
      const sentMs = clock.monotonicMs()
      const [result] = await runScripts(client, [group.settle(session, 1, [0])])
      if (result instanceof Error) throw redisFailure(result, `Renewing the lease of ${spec.consumer}`)
      if (Number(result) < 0) {
        reader.lookWithin(0)
        return held
      }
      reader.renewed(session, sentMs)
      return held.length === own.length ? [] : held.filter((delivery) => receiptOf(delivery).session !== session)
    },
    close() {
      closing ??= leave()
      return closing
    },
  }
}
