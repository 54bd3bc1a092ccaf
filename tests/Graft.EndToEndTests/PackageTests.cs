using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Graft.Cli.Demo;
using Graft.Testing;

namespace Graft.EndToEndTests;

/// <summary>What a user has who never saw the sources: a fresh folder, Graft's packages from a local feed, and the lines of their readmes.</summary>
public sealed partial class PackageTests(PackageTests.Feed feed) : IClassFixture<PackageTests.Feed>
{
    /// <summary>The packages, packed once for all tests from the sources, outside of the build's folders.</summary>
    public sealed class Feed : IDisposable
    {
        private readonly TemporaryFolder _folder = new();
        private readonly Lazy<string?> _problem;

        public Feed() => _problem = new(Pack);

        public string Packages => _folder.File("feed");

        /// <summary>Why there are none; null where there are.</summary>
        public string? Problem => _problem.Value;

        public static string Platform => OperatingSystem.IsWindows() ? "win-x64" : OperatingSystem.IsMacOS() ? "osx-arm64" : "linux-x64";

        /// <summary>A fresh folder whose packages are this feed's, and otherwise those that the machine has: nothing is downloaded.</summary>
        public string NewFolder(string name)
        {
            var folder = Directory.CreateDirectory(_folder.File(name)).FullName;
            File.WriteAllText(Path.Combine(folder, "nuget.config"), $"""
                <configuration>
                  <packageSources><clear /><add key="feed" value="{Packages}" /></packageSources>
                  <fallbackPackageFolders><clear /><add key="machine" value="{Sources.Packages}" /></fallbackPackageFolders>
                </configuration>
                """);
            return folder;
        }

        public (int ExitCode, string Output) Run(string folder, string program, params string[] arguments) => Sources.Run(
            program, folder,
            new Dictionary<string, string>
            {
                ["NUGET_PACKAGES"] = _folder.File("packages"),
                ["GRAFT_HOME"] = _folder.File("home"),
                ["GRAFT_OFFLINE"] = "1",
                ["DOTNET_NOLOGO"] = "1",
                ["DOTNET_SYSTEM_GLOBALIZATION_INVARIANT"] = "1",
                ["DOTNET_CLI_TELEMETRY_OPTOUT"] = "1",
                ["MSBUILDDISABLENODEREUSE"] = "1",
            },
            arguments);

        public void Dispose() => _folder.Dispose();

        private string? Pack()
        {
            if (Sources.Root is not { } root) return "the sources are not here";
            if (RuntimeInformation.ProcessArchitecture != (OperatingSystem.IsMacOS() ? Architecture.Arm64 : Architecture.X64)) return "there is no libtorch for this processor";
            var (exitCode, output) = Sources.Run(
                "dotnet", root, new Dictionary<string, string> { ["MSBUILDDISABLENODEREUSE"] = "1" }, "pack", "Graft.slnx", "-c", "Release", "-o", Packages,
                "--artifacts-path", _folder.File("artifacts"), $"-p:LibtorchPlatforms={Platform}", "-p:RunAnalyzers=false");
            // Without a registry, a machine may lack a package that only packing takes.
            if (exitCode != 0 && output.Contains("NU1301", StringComparison.Ordinal)) return "a package that packing takes cannot be restored here";
            Assert.True(exitCode == 0, output);
            Directory.Delete(_folder.File("artifacts"), recursive: true);
            return null;
        }
    }

    private string NewFolder(string name)
    {
        Assert.SkipWhen(feed.Problem is not null, feed.Problem ?? "");
        return feed.NewFolder(name);
    }

    private string Run(string folder, string program, params string[] arguments)
    {
        var (exitCode, output) = feed.Run(folder, program, arguments);
        Assert.True(exitCode == 0, $"{program} {string.Join(' ', arguments)}\n{output}");
        return output;
    }

    /// <summary>The first C# of a readme.</summary>
    private static string Snippet(string readme) =>
        CSharp().Match(File.ReadAllText(Path.Combine(Sources.Root!, readme))).Groups[1].Value;

    [GeneratedRegex("```csharp\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex CSharp();

    [Fact]
    public void Packages_say_what_they_are_and_bring_no_libtorch()
    {
        NewFolder("look");
        foreach (var id in (string[])["Graft.Imaging", "Graft.Inference", "Graft.Inference.DependencyInjection", "Graft", "Graft.Cpu", "Graft.Tool", $"Graft.Tool.{Feed.Platform}"])
        {
            using var package = ZipFile.OpenRead(Assert.Single(Directory.GetFiles(feed.Packages, $"{id}.0.*.nupkg")));
            var names = package.Entries.Select(entry => entry.FullName).ToList();
            Assert.Contains("README.md", names);
            Assert.Contains("LICENSE", names);
            using var stream = package.Entries.Single(entry => entry.FullName.EndsWith(".nuspec", StringComparison.Ordinal)).Open();
            var nuspec = XDocument.Load(stream).Descendants().ToLookup(element => element.Name.LocalName, StringComparer.Ordinal);
            Assert.Equal("MIT", Assert.Single(nuspec["license"]).Value);
            Assert.True(Assert.Single(nuspec["description"]).Value.Length > 40, id);
            var dependencies = nuspec["dependency"].Select(dependency => dependency.Attribute("id")!.Value).ToList();
            Assert.Equal(id == "Graft.Cpu", dependencies.Any(dependency => dependency.StartsWith("libtorch", StringComparison.Ordinal)));
            if (id is "Graft" or "Graft.Tool")
                Assert.Contains("THIRD-PARTY-NOTICES.md", names);
            if (id is "Graft.Cpu" || id.StartsWith("Graft.Tool", StringComparison.Ordinal)) continue;
            Assert.Contains($"lib/net10.0/{id}.xml", names);
            Assert.Single(Directory.GetFiles(feed.Packages, $"{id}.0.*.snupkg"));
        }
        Assert.True(new FileInfo(Directory.GetFiles(feed.Packages, "Graft.Inference.0.*.nupkg")[0]).Length < 100_000);
    }

    [Fact]
    public void Installed_tool_trains_the_demo_and_exports_for_an_app_of_the_readmes_lines()
    {
        var folder = NewFolder("user");
        Run(folder, "dotnet", "tool", "install", "Graft.Tool", "--tool-path", "tools");
        var graft = Path.Combine(folder, "tools", OperatingSystem.IsWindows() ? "graft.exe" : "graft");
        Assert.Contains("transfer", Run(folder, graft, "demo"), StringComparison.OrdinalIgnoreCase);
        Assert.True(File.Exists(Path.Combine(folder, "runs/demo/run/result.json")));

        var app = feed.NewFolder("user/app");
        Run(folder, graft, "export", "runs/demo/run", "--out", "model/flowers.onnx");
        File.Copy(Path.Combine(folder, "model/flowers.onnx"), Path.Combine(app, "flowers.onnx"));
        File.WriteAllBytes(Path.Combine(app, "garden.jpg"), DemoPhotos.DrawOne(DemoPhotos.Classes[0], seed: 3));
        Run(app, "dotnet", "new", "console");
        Run(app, "dotnet", "add", "package", "Graft.Inference");
        File.WriteAllText(Path.Combine(app, "Program.cs"), Snippet("src/Graft.Inference/README.md"));
        var lines = Run(app, "dotnet", "run").Split('\n', StringSplitOptions.RemoveEmptyEntries);

        using var classifier = Inference.Classifier.Open(Path.Combine(app, "flowers.onnx"));
        var expected = classifier.Predict(Path.Combine(app, "garden.jpg"));
        Assert.Equal(4, lines.Length);
        Assert.Equal($"{expected.Class} {expected.Probability:P1}", lines[0].Trim());
    }

    [Fact]
    public void Program_without_libtorch_is_told_the_line_that_adds_it()
    {
        var app = NewFolder("without");
        Run(app, "dotnet", "new", "console");
        Run(app, "dotnet", "add", "package", "Graft");
        File.WriteAllText(Path.Combine(app, "Program.cs"), """
            try { await Graft.Runs.TrainingRun.ExecuteAsync(new Graft.Runs.TrainingRequest { Photos = "." }); }
            catch (Graft.GraftException problem) { Console.WriteLine(problem.Message); }
            Console.WriteLine(System.IO.File.Exists(Path.Combine(AppContext.BaseDirectory, "backbones/ResNet18.onnx")));
            """);
        var output = Run(app, "dotnet", "build") + Run(app, "dotnet", "run", "--no-build");

        var line = $"dotnet add package libtorch-cpu-{Feed.Platform} --version 2.10.0";
        Assert.Contains($"warning GRAFT001: Graft trains with libtorch, which this program does not have. Add it: {line}", output, StringComparison.Ordinal);
        Assert.Contains($"\nGraft trains with libtorch, which this program does not have. Add it: {line}\n", output.ReplaceLineEndings("\n"), StringComparison.Ordinal);
        Assert.Contains("\nTrue", output, StringComparison.Ordinal);

        Run(app, "dotnet", "add", "package", $"libtorch-cpu-{Feed.Platform}", "--version", "2.10.0");
        Assert.DoesNotContain("GRAFT001", Run(app, "dotnet", "build", "--no-incremental"), StringComparison.Ordinal);
    }
}
