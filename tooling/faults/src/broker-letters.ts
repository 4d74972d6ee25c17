import { encodeTopic, systemClock } from '@evt/core'
import { pgDlqStore } from '@evt/dlq-pg'
import { Keyed, Plain } from './programs/messages.ts'
import type { Rig } from './rig.ts'

/** Dead letters in the stage's own place, put on record with those of the store, for the checker to find all in one. */
export interface BrokerLetters {
  /** Takes over what has come since the last call. */
  collect(): Promise<void>
  close(): Promise<void>
}

const pageSize = 500

export async function openBrokerLetters(rig: Rig): Promise<BrokerLetters> {
  const { transport, close } = await rig.stage.open(rig.broker!.url, systemClock)
  await transport.open()
  const record = pgDlqStore({ pool: rig.database.pool })
  const places = [Keyed, Plain].map(({ name: event }) => {
    return { event, topic: encodeTopic(rig.namespace, event), after: undefined as string | undefined }
  })
  return {
    async collect() {
      for (const place of places) {
        for (;;) {
          const { event, topic, after } = place
          const letters = await transport.readDeadLetters(topic, { after, limit: pageSize })
          const entries = letters.map(({ id: _place, ...letter }) => ({
            ...letter,
            id: `${letter.consumer} ${topic} ${letter.position}`,
            messageId: letter.headers['ce-id'],
            event,
            topic,
            source: letter.headers['ce-source'],
            contentType: letter.headers['content-type'],
            attempts: letter.history.at(-1)?.attempt ?? 1,
            deadLetteredAt: new Date(),
          }))
          if (entries.length > 0) await record.append(entries)
          place.after = letters.at(-1)?.id ?? after
          if (letters.length < pageSize) break
        }
      }
    },
    async close() {
      await transport.close()
      await close()
    },
  }
}
