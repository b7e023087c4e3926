// The hub /bench on ASP.NET Core SignalR, with the methods of spoked -bench. It is built and run only where dotnet is installed:
//
//     dotnet build -c Release
//     dotnet bin/Release/net10.0/aspnet.dll -addr 127.0.0.1:8080
using System.Text.Json;
using Microsoft.AspNetCore.SignalR;

var addr = "127.0.0.1:8080";
for (var i = 0; i + 1 < args.Length; i++)
{
    if (args[i] == "-addr") addr = args[i + 1];
}

var builder = WebApplication.CreateBuilder();
builder.Logging.ClearProviders();
builder.WebHost.UseUrls("http://" + addr);
builder.Services.AddSignalR();
var app = builder.Build();
app.MapHub<BenchHub>("/bench");
app.Run();

public sealed class BenchHub : Hub
{
    public JsonElement Echo(JsonElement x) => x;

    public Task Broadcast(JsonElement x) => Clients.All.SendAsync("message", x);

    public Task Join(string group) => Groups.AddToGroupAsync(Context.ConnectionId, group);

    public Task Leave(string group) => Groups.RemoveFromGroupAsync(Context.ConnectionId, group);

    public Task Publish(string group, JsonElement x) => Clients.Group(group).SendAsync("message", x);
}
