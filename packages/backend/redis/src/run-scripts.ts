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
  const isRepeated = repeated(calls)
  for (const call of calls) {
    // One that the server did not know would run after those behind it, if somebody made it known in between.
    if (isRepeated(call)) pipeline.callBuffer('EVAL', commandOf(call.script.source, call))
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

/** Tells calls that run the same script on the same keys as another. */
function repeated(calls: readonly ScriptCall[]): (call: ScriptCall) => boolean {
  const placeOf = ({ script, keys }: ScriptCall) => `${script.sha1} ${keys.join(' ')}`
  const seen = new Set<string>()
  const again = new Set<string>()
  for (const call of calls) {
    const place = placeOf(call)
    if (seen.has(place)) again.add(place)
    else seen.add(place)
  }
  return (call) => again.size > 0 && again.has(placeOf(call))
}

function commandOf(name: string, { keys, args }: ScriptCall): RedisArgument[] {
  return [name, keys.length, ...keys, ...args]
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
