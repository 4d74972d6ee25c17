import { isEvtError } from '@evt/core'
import { pino } from 'pino'
import { runDemo } from './demo.ts'
import { readSettings, usage } from './settings.ts'

const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())

try {
  const settings = readSettings(process.argv.slice(2))
  if (settings === 'help') process.stdout.write(usage)
  else {
    const logger = pino(
      {
        level: settings.logLevel,
        // Who ordered is nobody's business in a log.
        redact: ['payload', '*.payload', 'customer', '*.customer', 'email', '*.email'],
        serializers: { error: pino.stdSerializers.err },
      },
      pino.destination({ dest: 2, sync: true }),
    )
    if (!(await runDemo(settings, logger, stop.signal))) process.exitCode = 1
  }
} catch (error) {
  process.exitCode = 1
  process.stderr.write(isEvtError(error) ? `${error.code}: ${error.message}\n` : `${(error as Error).stack}\n`)
}
