// A few resources on node's coap. node coap.js PREFIX PORT
const [prefix, port] = process.argv.slice(2)
const coap = require(prefix + '/node_modules/coap')

const LARGE = Buffer.alloc(2048, 'a')
const LINKS = '</hello>,</large>;sz=2048,</time>;obs,</store>,</count>,</switch>'
const kept = { '/store': 'stored', '/switch': 'off' }
let count = 0

function time (request, response) {
  if (request.headers.Observe !== 0) return response.end('tick')
  response.write('tick')
  const timer = setInterval(() => response.write('tick'), 1000)
  response.on('finish', () => clearInterval(timer))
}

const server = coap.createServer({}, (request, response) => {
  const changed = (text) => { response.code = '2.04'; response.end(text) }
  const path = request.url.split('?')[0]
  switch (path) {
    case '/.well-known/core':
      response.setOption('Content-Format', 'application/link-format')
      return response.end(LINKS)
    case '/hello': return response.end('hello')
    case '/large': return response.end(LARGE)
    case '/time': return time(request, response)
    case '/store':
    case '/switch':
      if (request.method === 'PUT') { kept[path] = request.payload; return changed('') }
      return response.end(kept[path])
    case '/count':
      if (request.method === 'POST') { count += 1; return changed(String(count)) }
      return response.end(String(count))
  }
  response.code = '4.04'
  response.end()
})
server.on('error', (error) => console.log('error event:', error.message))
server.listen(Number(port), '127.0.0.1', () => console.log('ready'))
