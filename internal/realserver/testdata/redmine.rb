# Serves Debian's Redmine on loopback from a copy of its database, which must not have been used yet. Its own database
# stays unchanged.
#
#   ruby redmine.rb ADDRESS PORT DIRECTORY
#
# The API key of the administrator is written to DIRECTORY/key.
require "fileutils"
require "yaml"
$stdout.sync = true
address, port, directory = ARGV
root = "/usr/share/redmine"
original = YAML.load_file("/etc/redmine/default/database.yml")["production"]
abort "this Redmine is not on SQLite" unless original["adapter"] == "sqlite3"
copy = File.join(directory, "redmine.db")
FileUtils.cp(original["database"], copy)
ENV.update("DATABASE_URL" => "sqlite3:#{copy}?timeout=20000", "RAILS_ENV" => "production", "RAILS_LOG_TO_STDOUT" => "1")

# Before the bundle of Redmine hides what is not in it.
require "rack"
require "webrick"
require "rack/handler/webrick"
Dir.chdir(root)
app, = Rack::Builder.parse_file("config.ru")
abort "this Redmine has data of its own; it is left alone" if Project.exists? || User.where(type: "User").count > 1

Rails.logger.level = Logger::WARN
Setting.rest_api_enabled = "1"
Setting.notified_events = [] # no mails
admin = User.find_by!(login: "admin")
admin.must_change_passwd = false
admin.save!(validate: false)
File.write(File.join(directory, "key"), admin.api_key)
Rack::Handler::WEBrick.run(app, Host: address, Port: port, AccessLog: [])
