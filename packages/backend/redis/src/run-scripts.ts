import { replyWord } from './errors.ts'
import type { RedisArgument, RedisClient } from './redis-client.ts'
import type { Script } from './script-files.ts'

export interface ScriptCall {
  readonly script: Script
  readonly keys: readonly string[]
  readonly args: readonly RedisArgument[]
}

/** Runs a script by its hash, and by its text where the server does not know it yet. Bulk replies are buffers. */
export async function runScript(client: RedisClient, call: ScriptCall): Promise<unknown> {
  try {
    return await client.callBuffer('EVALSHA', commandOf(call.script.sha1, call))
  } catch (error) {
    if (replyWord(error) !== 'NOSCRIPT') throw error
    return client.callBuffer('EVAL', commandOf(call.script.source, call))
  }
}

/** Runs scripts in one round trip, in order; each has its result or its error. */
export async function runScripts(client: RedisClient, calls: readonly ScriptCall[]): Promise<readonly unknown[]> {
  if (calls.length === 1) return [await runScript(client, calls[0]!).catch(asError)]
  const pipeline = client.pipeline()
  const places = calls.map(({ script, keys }) => `${script.sha1} ${keys.join(' ')}`)
  const times = new Map<string, number>()
  for (const place of places) times.set(place, (times.get(place) ?? 0) + 1)
  for (const [index, call] of calls.entries()) {
    // One that the server did not know would run after those behind it, if somebody made it known in between.
    if (times.get(places[index]!)! > 1) pipeline.callBuffer('EVAL', commandOf(call.script.source, call))
    else pipeline.callBuffer('EVALSHA', commandOf(call.script.sha1, call))
  }
  const replies = (await pipeline.exec()) ?? []
  const results: unknown[] = []
  for (let index = 0; index < calls.length; index += 1) {
    const [error, result] = replies[index] ?? [new Error('the pipeline was aborted'), undefined]
    if (error !== null && replyWord(error) === 'NOSCRIPT') {
      results.push(await runScript(client, calls[index]!).catch(asError))
    } else results.push(error ?? result)
  }
  return results
}

function commandOf(name: string, { keys, args }: ScriptCall): RedisArgument[] {
  return [name, keys.length, ...keys, ...args]
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
