using System.CommandLine;
using Graft.Backbones;
using Graft.Checkpoints.Store;

namespace Graft.Cli.Verbs;

/// <summary>The part of <c>graft models</c> that downloads, checks and removes weights in the weight store.</summary>
internal static class ModelsStoreVerbs
{
    private static readonly Option<string?> Hash = new("--hash")
    {
        Description = "Trust a file with this hash instead of the published one: md5:… or sha256:…",
        HelpName = "HASH",
    };

    public static IEnumerable<Command> Create() => [Pull(), Import(), Verify(), Remove()];

    private static Verb Pull()
    {
        var names = Names("The networks whose published weights to download");
        var command = new Verb(
            "pull", "Download published weights into the weight store; an interrupted download is resumed.",
            "graft models pull mobilenet_v2") { names, Hash };
        command.SetHandler((parsed, cancellation) =>
        {
            foreach (var (name, file) in parsed.GetRequiredValue(names).Select(name => (name, PublishedFileOf(name))).ToList())
            {
                Pin(parsed, file);
                Console.Out.WriteLine(FetchedWeights.Ensure(BackboneCatalog.Find(name), cancellation));
            }
            return Terminal.Done;
        });
        return command;
    }

    private static Verb Import()
    {
        var path = new Argument<string>("FILE") { Description = "A published weights file, brought from another machine" };
        var name = new Option<string?>("--name") { Description = "The network it belongs to, where hash and file name do not tell", HelpName = "NAME" };
        var command = new Verb(
            "import", "Put a weights file that you have already into the weight store.", "graft models import mobilenet_v2-b0353104.pth") { path, name, Hash };
        command.SetHandler((parsed, _) =>
        {
            var source = parsed.GetRequiredValue(path);
            var file = parsed.GetValue(name) is { } network
                ? PublishedFileOf(network)
                : WeightStore.Identify(source, PublishedFiles())
                  ?? throw new GraftException(
                      $"{source} is none of the published files of the catalog, by hash or by name. Name its network with --name, "
                      + "or use it in place: graft train DIR --backbone NAME --weights FILE.");
            // Without a published hash, what is imported is trusted from now on.
            if (parsed.GetValue(name) is not null && file.Hash is null) Backbone.Load(parsed.GetRequiredValue(name)!, source).Dispose();
            Pin(parsed, file);
            var isFirst = WeightStore.Default.HashOf(file) is null;
            Console.Out.WriteLine(WeightStore.Default.Import(source, file));
            if (isFirst)
                Terminal.Warn($"{file.FileName} is not verified: its publisher states no hash. From now on it must have {WeightStore.Default.HashOf(file)}.");
            return Terminal.Done;
        });
        return command;
    }

    private static Verb Verify()
    {
        var command = new Verb("verify", "Read every stored weights file again and compare its hash.", "graft models verify");
        command.SetHandler((_, cancellation) =>
        {
            var wrong = 0;
            foreach (var check in WeightStore.Default.Verify(PublishedFiles()))
            {
                cancellation.ThrowIfCancellationRequested();
                Console.Out.WriteLine(check);
                if (check.Condition is not (FileCondition.Ok or FileCondition.Unknown)) wrong++;
            }
            if (wrong > 0) Terminal.Say($"{wrong} wrong; `graft models pull NAME` downloads them again.");
            return wrong == 0 ? Terminal.Done : Terminal.Failed;
        });
        return command;
    }

    private static Verb Remove()
    {
        var names = Names("The networks whose stored weights to delete");
        var command = new Verb("rm", "Delete stored weights; they can be downloaded again.", "graft models rm mobilenet_v2") { names };
        command.SetHandler((parsed, _) =>
        {
            foreach (var file in parsed.GetRequiredValue(names).Select(PublishedFileOf).ToList())
                Console.Out.WriteLine($"{file.FileName}: {WeightStore.Default.Remove(file.FileName) / 1e6:N1} MB freed");
            return Terminal.Done;
        });
        return command;
    }

    private static Argument<string[]> Names(string description) =>
        new("NAME") { Description = description, Arity = ArgumentArity.OneOrMore };

    private static PublishedFile PublishedFileOf(string name) =>
        BackboneCatalog.Find(name).Weights[0].File
        ?? throw new UsageException($"The weights of {name} are part of Graft; there is nothing to download or delete.");

    private static IEnumerable<PublishedFile> PublishedFiles() =>
        BackboneCatalog.All.SelectMany(entry => entry.Weights).Select(weights => weights.File).OfType<PublishedFile>();

    private static void Pin(ParseResult parsed, PublishedFile file)
    {
        if (parsed.GetValue(Hash) is { } hash) WeightStore.Default.Pin(file, FileHash.Parse(hash));
    }
}
