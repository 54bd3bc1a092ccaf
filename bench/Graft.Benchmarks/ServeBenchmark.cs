using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using Graft.Data;

namespace Graft.Benchmarks;

/// <summary>Clients that ask a running <c>graft serve</c>, one photo after the other: photos a second, latency, and the server's memory.</summary>
internal static class ServeBenchmark
{
    private const string Memory = "process_resident_memory_bytes ";

    public static Command Create()
    {
        var address = new Argument<string>("URL") { Description = "Where the server answers, such as http://127.0.0.1:8080" };
        var folder = new Argument<string>("PHOTOS") { Description = "Photos, which are asked for in turns" };
        var clients = new Option<int>("--clients") { Description = "How many ask at once", HelpName = "COUNT", DefaultValueFactory = _ => 8 };
        var requests = new Option<int>("--requests") { Description = "How many photos in all", HelpName = "COUNT", DefaultValueFactory = _ => 550 };
        var command = new Command("serve", "Photos a second and latency of a running server") { address, folder, clients, requests };
        command.SetAction((parsed, cancellation) => Run(
            new Uri(parsed.GetRequiredValue(address)), parsed.GetRequiredValue(folder), parsed.GetValue(clients), parsed.GetValue(requests), cancellation));
        return command;
    }

    private static async Task<int> Run(Uri address, string folder, int clients, int requests, CancellationToken cancellation)
    {
        byte[][] photos = [.. PhotoPaths.Find(folder).Photos.Select(File.ReadAllBytes)];
        using var client = new HttpClient { BaseAddress = address };
        var milliseconds = new double[requests];
        var (next, failed) = (-1, 0);
        Console.WriteLine($"# {Machine.Describe()}; {clients} clients, {requests:N0} requests, {photos.Length:N0} photos");
        foreach (var part in Enumerable.Range(1, 4))
        {
            var before = await MemoryInMegabytes(client, cancellation);
            var last = requests * part / 4;
            var first = Volatile.Read(ref next) + 1;
            var watch = Stopwatch.StartNew();
            await Task.WhenAll(Enumerable.Range(0, clients).Select(_ => Task.Run(() => Ask(last), cancellation)));
            var seconds = watch.Elapsed.TotalSeconds;
            Volatile.Write(ref next, last - 1);
            var sorted = milliseconds[first..last].Order().ToArray();
            var after = await MemoryInMegabytes(client, cancellation);
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{sorted.Length / seconds,8:0.0} photos/s   median {sorted[sorted.Length / 2]:0.0} ms   p99 {sorted[sorted.Length * 99 / 100]:0.0} ms   server {before:0} → {after:0} MB"));
        }
        Console.WriteLine($"{failed} requests failed");
        return failed == 0 ? 0 : 1;

        async Task Ask(int last)
        {
            for (var index = Interlocked.Increment(ref next); index < last; index = Interlocked.Increment(ref next))
            {
                using var content = new ByteArrayContent(photos[index % photos.Length]);
                content.Headers.ContentType = new MediaTypeHeaderValue("image/jpeg");
                var watch = Stopwatch.StartNew();
                using var response = await client.PostAsync("predict", content, cancellation);
                milliseconds[index] = watch.Elapsed.TotalMilliseconds;
                if (response.StatusCode != HttpStatusCode.OK) Interlocked.Increment(ref failed);
            }
        }
    }

    private static async Task<double> MemoryInMegabytes(HttpClient client, CancellationToken cancellation)
    {
        var line = (await client.GetStringAsync("metrics", cancellation)).Split('\n').Single(line => line.StartsWith(Memory, StringComparison.Ordinal));
        return double.Parse(line[Memory.Length..], CultureInfo.InvariantCulture) / 1e6;
    }
}
