using System.CommandLine;
using System.Net;
using Graft.Cli.Serve;
using Graft.Inference;

namespace Graft.Cli.Verbs;

internal static class ServeVerb
{
    public static Command Create()
    {
        var model = new Argument<string>("MODEL") { Description = "An exported .onnx file, a trained model, a run folder, or a network of the catalog" };
        var host = new Option<string>("--host")
        {
            Description = "The address to listen on; 0.0.0.0 for all of this machine's, to which other machines can connect",
            HelpName = "ADDRESS",
            DefaultValueFactory = _ => "127.0.0.1",
        };
        var port = Number("--port", 8080, "The port to listen on; 0 for any free one", "PORT");
        var name = new Option<string?>("--name") { Description = "What /v2/models calls the model (default: the file's name)", HelpName = "NAME" };
        var maxBody = Number("--max-body", 20, "The largest request, in megabytes", "MB");
        var maxPixels = Number("--max-pixels", 50, "The largest photo, in millions of pixels", "MILLIONS");
        var queue = Number("--queue", 256, "How many photos may wait; more are refused with status 429", "COUNT");
        var workers = Number("--workers", Environment.ProcessorCount, "How many photos are predicted at once", "COUNT");
        var placing = new DeviceOption();
        var pretrained = new BackboneOptions();
        var command = new Verb(
            "serve",
            """
            Answer with a model over HTTP, until interrupted.

            POST a photo to /predict, or open the address in a browser and drop photos on the page. /openapi/v1.json describes the API, /v2 is the
            Open Inference Protocol, /metrics is for Prometheus. When the model's file is replaced, the new one takes over.
            """,
            "graft serve flowers.onnx",
            "graft serve runs/flowers-mobilenet_v2 --port 9000",
            "curl --data-binary @garden.jpg -H \"Content-Type: image/jpeg\" http://127.0.0.1:8080/predict?top=3")
            { model, host, port, name, maxBody, maxPixels, queue, workers };
        placing.AddTo(command);
        pretrained.AddTo(command);
        command.SetHandler((parsed, cancellation) =>
        {
            int Value(Option<int> option, int least, int most) => parsed.GetValue(option) is var value && value >= least && value <= most
                ? value
                : throw new UsageException($"Expected {option.Name} from {least} to {most}, found {value}.");
            if (!IPAddress.TryParse(parsed.GetRequiredValue(host) is "localhost" ? "127.0.0.1" : parsed.GetValue(host), out var address))
                throw new UsageException($"Expected --host with an address such as 127.0.0.1 or 0.0.0.0, found '{parsed.GetValue(host)}'.");
            var path = parsed.GetRequiredValue(model);
            var isExported = pretrained.IsExported(path, parsed);
            var options = new ServerOptions(
                parsed.GetValue(name) ?? Path.GetFileNameWithoutExtension(Path.TrimEndingDirectorySeparator(path)), address, Value(port, 0, 65535),
                Value(maxBody, 1, 1900) * 1_000_000L, Value(maxPixels, 1, 500) * 1_000_000L, Value(queue, 1, 100_000), Value(workers, 1, 1024),
                MaxConnections: 1000);
            var device = placing.Value(parsed);
            ServedModel served;
            try
            {
                served = new(
                    path, isExported ? null : () => pretrained.Open(path, parsed, cancellation),
                    new() { MaxFileBytes = options.MaxBodyBytes, MaxPixels = options.MaxPixels }, device);
            }
            catch (ModelException problem)
            {
                throw new GraftException(problem.Message, problem);
            }
            catch (DeviceException missing)
            {
                throw DeviceOption.Phrased(missing);
            }
            Run(served, options, cancellation).GetAwaiter().GetResult();
            return Terminal.Done;
        });
        return command;

        static Option<int> Number(string name, int value, string description, string helpName) =>
            new(name) { Description = description, HelpName = helpName, DefaultValueFactory = _ => value };
    }

    private static async Task Run(ServedModel served, ServerOptions options, CancellationToken cancellation)
    {
        await using var server = new PredictionServer(served, options);
        var address = await server.StartAsync(cancellation);
        Console.Out.WriteLine($"Serving {options.Name} at {address}");
        if (!IPAddress.IsLoopback(options.Address)) Terminal.Note("Every machine that reaches this address can use the model: there is no log-in.");
        try
        {
            await Task.Delay(Timeout.Infinite, cancellation);
        }
        catch (OperationCanceledException)
        {
            // Interrupting is how a server ends.
        }
    }
}
