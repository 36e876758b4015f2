# One unmodified Faye client for Ruby. Options: {"url", "transport": "websocket" | "long-polling"}.
# The lines are those of lines.mjs.

require 'eventmachine'
require 'faye'
require 'json'

$stdout.sync = true

def say(what)
  puts JSON.generate(what)
end

# Tells what goes over the meta channels.
class Observer
  def incoming(message, callback)
    say(meta: message) if message['channel'].to_s.start_with?('/meta/')
    callback.call(message)
  end

  def outgoing(message, callback)
    say(connecting: message['connectionType']) if message['channel'] == '/meta/connect'
    callback.call(message)
  end
end

class Steering
  def initialize(options)
    @client = Faye::Client.new(options['url'], retry: 0.2)
    @client.disable('websocket') unless options['transport'] == 'websocket'
    @client.add_extension(Observer.new)
    @client.on('transport:down') { say(lost: true) }
    @subscriptions = {}
  end

  def obey(command)
    channel = command['channel']
    case command['do']
    when 'handshake' then @client.connect { done(command) }
    when 'subscribe'
      subscription = @client.subscribe(channel).with_channel do |name, data|
        say(event: { channel: name, data: data }, by: channel)
      end
      @subscriptions[channel] = subscription
      report(subscription, command)
    when 'unsubscribe'
      @subscriptions.delete(channel).cancel
      # Faye tells nobody when it is through; the reply on /meta/unsubscribe is in the output.
      done(command)
    when 'publish' then report(@client.publish(channel, command['data']), command)
    when 'burst'
      waiting = command['count']
      (1..waiting).each do |number|
        publication = @client.publish(channel, number)
        publication.callback { done(command) if (waiting -= 1).zero? }
        publication.errback { |error| failed(command, error) }
      end
    when 'disconnect' then report(@client.disconnect, command)
    end
  end

  private

  def report(deferrable, command)
    deferrable.callback { done(command) }
    deferrable.errback { |error| failed(command, error) }
  end

  def done(command)
    say(reply: command['number'], successful: true)
  end

  def failed(command, error)
    say(reply: command['number'], successful: false, error: error.to_s)
  end
end

EventMachine.run do
  steering = Steering.new(JSON.parse(ARGV.fetch(0)))
  Thread.new do
    $stdin.each_line { |line| EventMachine.next_tick { steering.obey(JSON.parse(line)) } }
    exit!(0)
  end
  say(ready: true)
end
