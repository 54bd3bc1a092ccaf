using System.CommandLine;
using Graft.Runs;
using Graft.Studio;

namespace Graft.Cli.Verbs;

internal static class StudioVerb
{
    public static Command Create()
    {
        var folder = new Argument<string?>("FOLDER")
        {
            Description = "Photos to open: a folder per class, train/ and val/ folders of such, photos without classes, or a CSV of path,label",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var port = new Option<int>("--port") { Description = "The port to listen on; 0 for any free one", HelpName = "PORT", DefaultValueFactory = _ => 0 };
        var networks = new BackboneOptions();
        var command = new Verb(
            "studio",
            """
            Open a page to label photos, see at once what the model understands, correct it and export it.

            The page is on this computer only, and photos stay where they lie. Labels are kept in .graft-studio beside the photos.
            """,
            "graft studio flowers",
            "graft studio --backbone mobilenet_v2") { folder, port };
        networks.AddAllTo(command);
        command.SetHandler((parsed, cancellation) =>
        {
            if (parsed.GetValue(port) is not (>= 0 and <= 65535)) throw new UsageException($"Expected --port from 0 to 65535, found {parsed.GetValue(port)}.");
            var source = parsed.GetValue(folder);
            if (source is not null && !Path.Exists(source)) throw new UsageException($"There is no folder or table {source}.");
            var requests = networks.Requests(parsed) ?? [new()];
            if (requests.Count > 1) throw new UsageException("The studio takes one network: name one with --backbone.");
            RunAsync(source, parsed.GetValue(port), requests[0], cancellation).GetAwaiter().GetResult();
            return Terminal.Done;
        });
        return command;
    }

    private static async Task RunAsync(string? source, int port, BackboneRequest backbone, CancellationToken cancellation)
    {
        await using var server = new StudioServer(Environment.CurrentDirectory, port, backbone, Terminal.Warn);
        await server.StartAsync(source, cancellation);
        Console.Out.WriteLine($"Graft Studio is at {server.Address}");
        Terminal.Note("Open this address in a browser on this computer. Ctrl+C ends the studio; labels are saved as they are made.");
        try
        {
            await Task.Delay(Timeout.Infinite, cancellation);
        }
        catch (OperationCanceledException)
        {
            // Interrupting is how it ends.
        }
    }
}
