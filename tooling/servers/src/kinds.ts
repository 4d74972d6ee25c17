import { kafkaKind } from './kafka.ts'
import { mongoKind } from './mongo.ts'
import { natsFloorKind, natsKind } from './nats.ts'
import { postgres15Kind, postgresKind } from './postgres.ts'
import { redisKind } from './redis.ts'
import type { ServerKind } from './server-kind.ts'

/** Every kind, under the name by which a test file imports it. */
export const kinds = {
  postgres: postgresKind,
  postgres15: postgres15Kind,
  redis: redisKind,
  nats: natsKind,
  natsFloor: natsFloorKind,
  kafka: kafkaKind,
  mongo: mongoKind,
} satisfies Record<string, ServerKind>
