using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Graft.Backbones;
using Graft.Networks;
using Graft.Testing;

namespace Graft.Tests.Networks;

public class LoadingMemoryTests
{
    private const string ProbeVariable = "GRAFT_TEST_PROBE_LOADING";

    /// <summary>Of the file: the runtime and libtorch are in it.</summary>
    private const double Limit = 1.3;

    [Fact]
    public async Task Loading_the_largest_file_peaks_under_1_3_times_its_size()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "reads /proc");
        using var folder = new TemporaryFolder();
        var path = folder.File("vgg16.safetensors");
        WriteZeros(path);
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true };
        start.Environment[ProbeVariable] = path;

        using var process = Process.Start(start)!;
        var output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);

        Assert.InRange(long.Parse(output), 1, Limit * new FileInfo(path).Length);
    }

    /// <summary>This program, started again: the peak is that of a whole process.</summary>
    [ModuleInitializer]
    internal static void LoadIfAsked()
    {
        if (Environment.GetEnvironmentVariable(ProbeVariable) is not { } path) return;
        using var backbone = Backbone.Load("vgg16.torchvision", path);
        using var network = new TorchNetwork(backbone.Network, backbone.Weights);
        var peak = File.ReadLines("/proc/self/status").First(line => line.StartsWith("VmHWM:", StringComparison.Ordinal));
        Console.Out.Write(1024 * long.Parse(peak.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2]));
        Console.Out.Flush();
        Environment.Exit(0);
    }

    /// <summary>A file that takes no room on the disk.</summary>
    private static void WriteZeros(string path)
    {
        var end = 0L;
        var header = JsonSerializer.SerializeToUtf8Bytes(BackboneCatalog.Find("vgg16.torchvision").Build().Parameters.ToDictionary(
            parameter => parameter.Key,
            parameter => new { dtype = "F32", shape = parameter.Shape, data_offsets = new[] { end, end += 4L * parameter.ElementCount } }));
        using var file = File.Create(path);
        file.Write(BitConverter.GetBytes((long)header.Length));
        file.Write(header);
        file.SetLength(8 + header.Length + end);
    }
}

[Collection(nameof(AloneWithTorch))]
public class LibtorchTuningTests
{
    [Fact]
    public void Code_that_only_the_start_needed_is_given_back()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "reads /proc");
        var builder = new NetworkBuilder("small");
        var network = builder.Build(builder.Input("image", 1, 4).Convolution("conv", 1, kernel: 3));
        using var module = new TorchNetwork(network, new RandomWeights(1));
        using var image = TorchSharp.torch.ones(1, 1, 4, 4);
        var before = module.call(image).data<float>().ToArray();

        LibtorchTuning.ReleaseCode();

        var regions = LibtorchTuning.CodeRegions();
        Assert.NotEmpty(regions);
        Assert.InRange(regions.Sum(region => region.ResidentBytes), 0, regions.Sum(region => (long)region.Length) / 50);
        Assert.Equal(before, module.call(image).data<float>().ToArray());
    }
}
