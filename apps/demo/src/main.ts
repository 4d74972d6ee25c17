import { isEvtError } from '@evt/core'
import { pino } from 'pino'
import { runDemo } from './demo.ts'
import { describeError, safeLogger } from './safe-logger.ts'
import { readSettings, usage } from './settings.ts'

const stop = new AbortController()
// Once: whoever asks again does not want to wait.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())

process.exitCode = await main()

async function main(): Promise<number> {
  try {
    const settings = readSettings(process.argv.slice(2))
    if (settings === 'help') {
      process.stdout.write(usage)
      return 0
    }
    const logger = safeLogger(settings.logLevel, pino.destination({ dest: 2, sync: true }))
    return (await runDemo(settings, logger, stop.signal)) ? 0 : 1
  } catch (error) {
    const expected = isEvtError(error)
    // Our own errors wrap others; what they say was written for whoever started the demo.
    process.stderr.write(
      expected ? `${error.code}: ${error.message.replaceAll(/\s*\n\s*/g, ' ')}\n` : unexpected(error),
    )
    return 1
  }
}

function unexpected(error: unknown): string {
  const frames = error instanceof Error ? (error.stack ?? '').split('\n').filter((line) => /^ {4}at /.test(line)) : []
  return `${[describeError(error), ...frames].join('\n')}\n`
}
