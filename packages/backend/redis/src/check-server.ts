import { evtError } from '@evt/core'
import type { RedisClient } from './redis-client.ts'
import { redisFailure } from './redis-failure.ts'

const neededMajor = 7

/**
 * Asks what a server is. Rejects with `EVT_REDIS_VERSION` below 7.0, `EVT_REDIS_EVICTION` where it may evict keys, and
 * `EVT_REDIS_READONLY` where it is a replica.
 */
export async function checkServer(client: RedisClient, operation: string): Promise<void> {
  let info: string
  try {
    info = String(await client.call('INFO', []))
  } catch (error) {
    throw redisFailure(error, operation)
  }
  const version = field(info, 'redis_version') ?? '0'
  if (Number.parseInt(version, 10) < neededMajor) {
    const needed = `${neededMajor}.0`
    const text = `The server is Redis ${version}; ${needed} or later is needed`
    throw evtError('EVT_REDIS_VERSION', text, { version, needed })
  }
  if (field(info, 'role') === 'slave') {
    const text = `${operation}: the server is a replica; connect to the master`
    throw evtError('EVT_REDIS_READONLY', text, { operation }, { retryable: true })
  }
  const policy = field(info, 'maxmemory_policy')
  if (policy !== undefined && policy !== 'noeviction') {
    const text = `The server's maxmemory-policy is ${policy}: it would evict messages; set it to noeviction`
    throw evtError('EVT_REDIS_EVICTION', text, { policy })
  }
}

function field(info: string, name: string): string | undefined {
  return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1]
}
