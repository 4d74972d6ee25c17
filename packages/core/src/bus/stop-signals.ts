import { invalidOption } from '../options.ts'

/** A signal that does not exist would be waited for in silence, while the real one ends the process at once. */
export function checkSignals(signals: readonly NodeJS.Signals[]): void {
  const { signals: existing } = process.getBuiltinModule('node:os').constants
  if (!Array.isArray(signals) || signals.some((signal) => existing[signal as NodeJS.Signals] === undefined))
    throw invalidOption('signals', 'expected a list of names of signals, such as SIGTERM')
}

/** Listens until the first of the signals, until `closed` is aborted or until it is released. */
export function listenForStop(
  signals: readonly NodeJS.Signals[],
  closed: AbortSignal,
): { readonly stopped: Promise<void>; release(): void } {
  let stop: () => void = () => {}
  const stopped = new Promise<void>((resolve) => {
    stop = resolve
  })
  const release = () => {
    for (const signal of signals) process.off(signal, stop)
    closed.removeEventListener('abort', stop)
  }
  for (const signal of signals) process.once(signal, stop)
  closed.addEventListener('abort', stop)
  if (closed.aborted) stop()
  return { stopped, release }
}
