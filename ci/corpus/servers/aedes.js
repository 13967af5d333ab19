// A broker as aedes' README has it, with the three callbacks that the README gives for accounts and rights.
// node aedes.js PREFIX PORT [ACCOUNTS]; without ACCOUNTS everyone may do everything; it has lines: add NAME PASSWORD | remove NAME | pub NAME FILTER | sub NAME FILTER
const fs = require('fs')
const net = require('net')
const [prefix, port, file] = process.argv.slice(2)

let accounts = new Map()
function read () {
  const fresh = new Map()
  const of = (name) => fresh.get(name) || fresh.set(name, { password: null, pub: [], sub: [] }).get(name)
  for (const line of fs.readFileSync(file, 'utf8').split('\n')) {
    const [verb, name, rest] = line.split(' ')
    if (verb === 'add') of(name).password = rest
    if (verb === 'remove') fresh.delete(name)
    if (verb === 'pub' || verb === 'sub') of(name)[verb].push(rest.split('/'))
  }
  accounts = fresh
  console.log('accounts read')
}

// Whether a granted filter covers a topic, or all of another filter. A wildcard in front covers nothing that begins with $.
function covers (granted, wanted) {
  if (wanted[0].startsWith('$') && granted[0] !== wanted[0]) return false
  for (let i = 0; i < granted.length; i++) {
    if (granted[i] === '#') return true
    if (i >= wanted.length || wanted[i] === '#') return false
    if (granted[i] !== '+' && granted[i] !== wanted[i]) return false
  }
  return granted.length === wanted.length
}
function may (client, verb, text) {
  const account = client && accounts.get(client.account)
  if (!account) return false
  const wanted = text.replace(/^\$share\/[^/]*\//, '').split('/')
  return account[verb].some((granted) => covers(granted, wanted))
}

async function broker () {
  let aedes = await import(prefix + '/node_modules/aedes/aedes.js')
  if (aedes.Aedes === undefined && aedes.default) aedes = aedes.default
  if (aedes.Aedes && aedes.Aedes.createBroker) return aedes.Aedes.createBroker()
  return typeof aedes === 'function' ? aedes() : new aedes.Aedes()
}

function guard (aedes) {
  read()
  fs.watchFile(file, { interval: 50 }, read)
  aedes.authenticate = (client, name, password, done) => {
    client.account = name
    const account = accounts.get(name)
    done(null, Boolean(account) && account.password !== null && String(password) === account.password)
  }
  aedes.authorizePublish = (client, packet, done) => done(!client || may(client, 'pub', packet.topic) ? null : new Error('no right'))
  aedes.authorizeSubscribe = (client, sub, done) => done(null, may(client, 'sub', sub.topic) ? sub : null)
  aedes.authorizeForward = (client, packet) => may(client, 'sub', packet.topic) ? packet : null
}

broker().then((aedes) => {
  if (file) guard(aedes)
  net.createServer(aedes.handle).listen(Number(port), '127.0.0.1', () => console.log('ready'))
})
