import type { Transport } from '@evt/core'
import { checkServer, redisFailure } from '@evt/redis'
import { redisConsumer } from './consumer.ts'
import { limitedLog } from './limited-log.ts'
import { checkOptions, type RedisTransportOptions } from './options.ts'
import { createPlaces } from './places.ts'
import { publishBatch } from './publish.ts'
import { loadScripts } from './scripts.ts'
import { redisSupport } from './support.ts'
import { createTopics } from './topics.ts'

/**
 * Messages over Redis Streams, Redis 7.0 or later. Rejects with `EVT_REDIS_*` codes where the server cannot be used. Stream per
 * partition, session leases, exact attempts.
 */
export function redisTransport(given: RedisTransportOptions): Transport {
  const options = checkOptions(given)
  const { client } = options
  const scripts = loadScripts()
  const topics = createTopics(client, scripts, options.prefix)
  const places = createPlaces(options, scripts)
  const warn = limitedLog(options.logger, options.clock)
  return {
    name: 'redis',
    supports: redisSupport(options.maxMessageBytes),
    open: () => checkServer(client, 'Opening the Redis transport'),
    async declare(topic) {
      const { name, partitions } = await topics.declare(topic)
      return { name, partitions }
    },
    publish: (batch) => publishBatch({ options, scripts, topics }, batch),
    async consume(spec, events) {
      const topic = await topics.find(spec.topic)
      try {
        return await redisConsumer({ options, scripts, topics, topic, spec, events, warn })
      } catch (error) {
        throw redisFailure(error, `Reading ${spec.topic} for ${spec.consumer}`)
      }
    },
    inspect: async (topic) => places.inspect(await topics.find(topic)),
    trim: async (topic) => places.trim(await topics.find(topic)),
    readDeadLetters: async (topic, page) => places.readDeadLetters(await topics.find(topic), page),
    removeDeadLetters: async (topic, ids) => places.removeDeadLetters(await topics.find(topic), ids),
    async close() {
      // The client belongs to whoever made it; every reader has closed its own connection.
    },
  }
}
