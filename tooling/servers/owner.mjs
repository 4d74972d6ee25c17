/**
 * Owns one server: starts it, stops and starts it again when told to, and ends it for good once the channel to the
 * runner closes, which happens also when the runner is killed.
 * Input: one argument, JSON { command, args, environment, identity, stopSignal, removeFolder }; then messages:
 * { signal } stops the server and is answered by { ended: true }, { start: true } starts it again, after a
 * SIGKILL until it takes.
 */
import { spawn } from 'node:child_process'
import { rmSync } from 'node:fs'

const { command, args, environment, identity, stopSignal, removeFolder } = JSON.parse(process.argv[2])
const patienceMs = 20_000
const againMs = 100
let server
let told = false
let over = false
let killed = false
let triesUntilMs = 0
let again

function start() {
  told = false
  const env = { ...process.env, ...environment }
  server = spawn(command, args, { ...identity, env, stdio: ['ignore', 'inherit', 'inherit'] })
  server.on('error', (error) => {
    process.stderr.write(`${error}\n`)
    finish(1)
  })
  server.on('exit', (code) => {
    server = undefined
    if (over) finish(0)
    // Of a PostgreSQL that was killed, children hold the memory for a moment longer, and it refuses to start.
    if (!told && Date.now() < triesUntilMs) {
      again = setTimeout(start, againMs)
      return
    }
    if (!told) finish(code ?? 1)
    process.send({ ended: true })
  })
}

function halt(signal) {
  const halting = server
  halting.kill(signal)
  const timer = setTimeout(() => halting.kill('SIGKILL'), patienceMs)
  halting.once('exit', () => clearTimeout(timer))
}

function finish(code) {
  if (removeFolder) rmSync(removeFolder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
  process.exit(code)
}

// A terminal's Ctrl-C reaches the whole group: only the runner decides. A closed pipe must not end the owner either.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGPIPE']) process.on(signal, () => undefined)
for (const pipe of [process.stdout, process.stderr]) pipe.on('error', () => undefined)
process.on('message', (message) => {
  if (message.start) {
    triesUntilMs = killed ? Date.now() + patienceMs : 0
    return start()
  }
  told = true
  killed = message.signal === 'SIGKILL'
  clearTimeout(again)
  if (server === undefined) process.send({ ended: true })
  else halt(message.signal)
})
process.on('disconnect', () => {
  over = true
  if (server === undefined) finish(0)
  halt(stopSignal)
})
start()
