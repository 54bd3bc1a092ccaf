using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Graft.Cli.Demo;
using Graft.Inference;
using Graft.Testing;

namespace Graft.EndToEndTests;

/// <summary>The samples of apps that only predict, as processes of their own.</summary>
public sealed class AppTests : IDisposable
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private readonly TemporaryFolder _folder = new();
    private readonly string _model, _photo;

    public AppTests()
    {
        (_model, _photo) = (_folder.File("model/tiny.onnx"), _folder.File("photo.jpg"));
        var export = new GraftCommand(_folder.FullName).Run("export", "graft_mobilenet_v2_050", "--out", _model);
        Assert.True(export.ExitCode == 0, export.ToString());
        File.WriteAllBytes(_photo, DemoPhotos.DrawOne(DemoPhotos.Classes[1], seed: 5, sizePixels: 300));
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Web_app_of_a_few_lines_gives_the_models_answers()
    {
        Assert.InRange(
            File.ReadLines(Path.Combine(Sources.Root!, "samples/Graft.ServerSample/Program.cs")).Count(line => line.Trim().Length > 1 && !line.StartsWith("//", StringComparison.Ordinal)),
            1, 16);
        using var server = Process.Start(new ProcessStartInfo(
            "dotnet", [Path.Combine(AppContext.BaseDirectory, "Graft.ServerSample.dll"), "--urls", "http://127.0.0.1:0", "--model", _model])
        {
            RedirectStandardOutput = true,
            WorkingDirectory = _folder.FullName,
        })!;
        try
        {
            var line = "";
            while (!line.Contains("Now listening on", StringComparison.Ordinal))
                line = await server.StandardOutput.ReadLineAsync(Cancellation) ?? throw new InvalidOperationException("the sample ended");
            using var client = new HttpClient { BaseAddress = new(line[line.IndexOf("http", StringComparison.Ordinal)..].Trim()) };

            using var classifier = Classifier.Open(_model);
            var expected = classifier.Predict(_photo);
            using var answered = await client.PostAsync("predict", new ByteArrayContent(await File.ReadAllBytesAsync(_photo, Cancellation)), Cancellation);
            var answer = await answered.Content.ReadFromJsonAsync<JsonElement>(Cancellation);
            Assert.Equal(expected.Class, answer.GetProperty("class").GetString());
            Assert.Equal(expected.Probability, answer.GetProperty("probability").GetDouble(), 1e-6);
            using var refused = await client.PostAsync("predict", new ByteArrayContent("no photo"u8.ToArray()), Cancellation);
            Assert.Equal(HttpStatusCode.UnprocessableEntity, refused.StatusCode);
        }
        finally
        {
            server.Kill();
            await server.WaitForExitAsync(CancellationToken.None);
        }
    }

    /// <summary>The app's own binary, without the native libraries of ONNX Runtime and SkiaSharp.</summary>
    [Fact]
    public void Sample_is_published_ahead_of_time_without_warnings_and_small()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && Sources.Root is not null, "published on Linux, from the sources");
        Assert.SkipUnless(
            Environment.GetEnvironmentVariable("PATH")!.Split(':').Any(folder => File.Exists(Path.Combine(folder, "clang")) || File.Exists(Path.Combine(folder, "gcc"))),
            "Native AOT links with clang or gcc, and there is neither");
        var (exitCode, output) = Sources.Run(
            "dotnet", Sources.Root!, new Dictionary<string, string> { ["MSBUILDDISABLENODEREUSE"] = "1" }, "publish", "samples/Graft.InferenceSample/Graft.InferenceSample.csproj", "-c", "Release",
            "-r", "linux-x64", "-o", _folder.File("app"), "--artifacts-path", _folder.File("artifacts"), "-p:RunAnalyzers=false");
        Assert.SkipWhen(exitCode != 0 && (output.Contains("NU1301", StringComparison.Ordinal) || output.Contains("NU1101", StringComparison.Ordinal)), "the compiler's package cannot be restored here");
        Assert.True(exitCode == 0, output);
        // Warnings are errors here, except where a package's own are held back.
        Assert.DoesNotContain("warning IL", output, StringComparison.Ordinal);
        var program = _folder.File("app/Graft.InferenceSample");
        Assert.InRange(new FileInfo(program).Length, 1, 5_000_000);

        var (ran, answer) = Sources.Run(program, _folder.FullName, new Dictionary<string, string>(), _model, _photo);

        Assert.True(ran == 0, answer);
        using var classifier = Classifier.Open(_model);
        Assert.Equal($"{_photo}: {classifier.Predict(_photo).Class} {classifier.Predict(_photo).Probability:P1}", answer.Trim());
    }
}
