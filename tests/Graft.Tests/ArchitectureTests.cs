using System.Diagnostics;
using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Graft.Checkpoints;
using Graft.Export;
using Graft.Imaging;
using Graft.Networks;
using Graft.Runs;
using Graft.Runs.Reports;
using Graft.Selection;
using Microsoft.ML.OnnxRuntime;
using TorchSharp;

namespace Graft.Tests;

/// <summary>Arrows between the folders of Graft run one way; see DESIGN.md, "Layout and direction".</summary>
public partial class ArchitectureTests
{
    private const string ProbeVariable = "GRAFT_TEST_PROBE_CHECKPOINT";
    private const int NothingOfTorch = 77;

    /// <summary>Left to right; a folder names no type of a folder to its right.</summary>
    private static readonly string[] Order =
        ["Data", "Ranks", "Networks", "Checkpoints", "Backbones", "Features", "Training", "Classifiers", "Evaluation", "Unlabeled", "Export", "Transfer", "Runs", "Labeling", "Selection"];

    /// <summary>Of every type of the assembly: what its members' signatures, local variables and instructions name.</summary>
    [Fact]
    public void Folders_name_nothing_to_their_right()
    {
        var violations = new HashSet<string>(StringComparer.Ordinal);
        foreach (var type in typeof(Checkpoint).Assembly.GetTypes())
        {
            if (PlaceOf(type) is not { } place) continue;
            foreach (var named in NamedBy(type).SelectMany(Parts))
                if (PlaceOf(named) > place) violations.Add($"{type.FullName} names {named.FullName}");
        }

        Assert.Empty(violations.Order(StringComparer.Ordinal));
    }

    /// <summary>The place in the order; null of a type outside of it.</summary>
    private static int? PlaceOf(Type type) =>
        type.Assembly == typeof(Checkpoint).Assembly && type.Namespace?.Split('.') is ["Graft", var folder, ..] && Array.IndexOf(Order, folder) is >= 0 and var place
            ? place
            : null;

    /// <summary>
    /// A scalar of TorchSharp's is freed by its finalizer, even while libtorch reads it, unless something holds it: so that only
    /// <see cref="Scalars"/> makes any, and nothing is called in TorchSharp that makes one of its own and does not dispose of it.
    /// </summary>
    [Fact]
    public void Numbers_of_formulas_are_held()
    {
        var shim = typeof(Scalar).Assembly;
        var calls = MethodsOf(shim.GetTypes()).ToDictionary(method => method, method => NamedIn(method).OfType<MethodBase>().ToHashSet());
        var unheld = calls.Where(method => method.Value.Any(MakesScalar) && !method.Value.Any(called => called.Name == "Dispose"))
            .Select(method => method.Key).ToHashSet();
        while (calls.Where(method => !unheld.Contains(method.Key) && method.Value.Overlaps(unheld)).Select(method => method.Key).ToList() is { Count: > 0 } more)
            unheld.UnionWith(more.Concat(more.OfType<MethodInfo>().Select(method => method.GetBaseDefinition()))); // An optimizer's step
        Assert.Contains(typeof(torch.Tensor).GetMethod("op_Addition", [typeof(torch.Tensor), typeof(torch.Tensor)])!, unheld);

        var violations = MethodsOf(typeof(Checkpoint).Assembly.GetTypes()).Where(method => method.DeclaringType != typeof(Scalars))
            .SelectMany(method => NamedIn(method).OfType<MethodBase>().Where(called => MakesScalar(called) || unheld.Contains(called))
                .Select(called => $"{method.DeclaringType}.{method.Name} calls {called.DeclaringType}.{called}"));
        Assert.Empty(violations.Distinct().Order(StringComparer.Ordinal));

        static bool MakesScalar(MethodBase method) =>
            method is MethodInfo { ReturnType: var made, Name: "op_Implicit" or "ToScalar" } && made == typeof(Scalar);
    }

    private const BindingFlags Declared =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    private static IEnumerable<MethodBase> MethodsOf(IEnumerable<Type> types) =>
        types.SelectMany(type => type.GetMethods(Declared).Cast<MethodBase>().Concat(type.GetConstructors(Declared)));

    private static IEnumerable<Type> NamedBy(Type type)
    {
        if (type.BaseType is { } parent) yield return parent;
        foreach (var contract in type.GetInterfaces()) yield return contract;
        foreach (var field in type.GetFields(Declared)) yield return field.FieldType;
        foreach (var method in MethodsOf([type]))
        {
            if (method is MethodInfo { ReturnType: var returned }) yield return returned;
            foreach (var parameter in method.GetParameters()) yield return parameter.ParameterType;
            if (method.GetMethodBody() is not { } body) continue;
            foreach (var local in body.LocalVariables) yield return local.LocalType;
            foreach (var member in NamedIn(method))
            {
                if (member is Type named) yield return named;
                else if (member.DeclaringType is { } declaring) yield return declaring;
            }
        }
    }

    private static readonly Dictionary<short, OpCode> Instructions = typeof(OpCodes).GetFields(BindingFlags.Public | BindingFlags.Static)
        .Select(field => (OpCode)field.GetValue(null)!).ToDictionary(code => code.Value);

    /// <summary>Where the command's words are what is meant, by the type that says them.</summary>
    private static readonly Dictionary<Type, string> SaysTheCommandsWords = new()
    {
        [typeof(RequestCommand)] = "a request in the words of the command line",
        [typeof(RunReport)] = "a page for a person says how to repeat the run",
        [typeof(Advice)] = "advice is a command to type",
        [typeof(ModelCard)] = "how another server's command is called",
        [typeof(LibtorchLoader)] = "the very line that adds a package to a project",
        [typeof(DataCheckPage)] = "a page for a person says what to do with the photos",
    };

    /// <summary>A program has no options: the library's problems have a code, which the command phrases (Graft.Cli/Remedies.cs).</summary>
    [Theory]
    [InlineData(typeof(Checkpoint))]
    [InlineData(typeof(ImageDecoder))]
    public void The_library_says_no_option_and_no_verb_of_the_command(Type ofAssembly)
    {
        var said = ofAssembly.Assembly.GetTypes().Where(type => !SaysTheCommandsWords.Keys.Any(except => IsIn(type, except)))
            .SelectMany(type => MethodsOf([type]).SelectMany(TextsIn).Select(text => $"{type.FullName}: {text}"))
            .Where(text => CommandWord().IsMatch(text)).ToList();

        Assert.Empty(said);

        static bool IsIn(Type type, Type outer) => type == outer || (type.DeclaringType is { } declaring && IsIn(declaring, outer));
    }

    /// <summary>An option, which a custom property of a style sheet is not; or a verb after the command's name.</summary>
    [GeneratedRegex(@"(?<![\w(-])--[a-z][a-z-]*(?![\w-]*:)|\bgraft (?:demo|train|evaluate|predict|export|serve|report|compare|features|models|data|cache)\b")]
    private static partial Regex CommandWord();

    private static IEnumerable<string> TextsIn(MethodBase method) => method.GetMethodBody() is not { } body ? []
        : Operands(body.GetILAsByteArray()!).Where(operand => operand.Kind == OperandType.InlineString).Select(operand => method.Module.ResolveString(operand.Token));

    /// <summary>What a method's instructions name: what is called, made, read or cast.</summary>
    private static IEnumerable<MemberInfo> NamedIn(MethodBase method)
    {
        if (method.GetMethodBody() is not { } body) yield break;
        var (ofType, ofMethod) = (
            method.DeclaringType!.IsGenericType ? method.DeclaringType.GetGenericArguments() : null, method.IsGenericMethod ? method.GetGenericArguments() : null);
        foreach (var (kind, token) in Operands(body.GetILAsByteArray()!))
        {
            if (kind is not (OperandType.InlineMethod or OperandType.InlineField or OperandType.InlineType or OperandType.InlineTok)) continue;
            if (method.Module.ResolveMember(token, ofType, ofMethod) is { } member) yield return member;
        }
    }

    /// <summary>Of the instructions that name something, its token.</summary>
    private static IEnumerable<(OperandType Kind, int Token)> Operands(byte[] code)
    {
        for (var at = 0; at < code.Length;)
        {
            var instruction = code[at] == 0xFE ? Instructions[(short)(0xFE00 | code[at + 1])] : Instructions[code[at]];
            at += instruction.Size;
            if (instruction.OperandType is OperandType.InlineMethod or OperandType.InlineField or OperandType.InlineType or OperandType.InlineTok or OperandType.InlineString)
                yield return (instruction.OperandType, BitConverter.ToInt32(code, at));
            at += instruction.OperandType switch
            {
                OperandType.InlineNone => 0,
                OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar => 1,
                OperandType.InlineVar => 2,
                OperandType.InlineI8 or OperandType.InlineR => 8,
                OperandType.InlineSwitch => 4 + 4 * BitConverter.ToInt32(code, at),
                _ => 4,
            };
        }
    }

    /// <summary>A type, what it is an array or reference of, and its type arguments.</summary>
    private static IEnumerable<Type> Parts(Type type)
    {
        while (type.HasElementType) type = type.GetElementType()!;
        return type.IsGenericType ? type.GetGenericArguments().SelectMany(Parts).Prepend(type) : [type];
    }

    /// <summary>Whoever opens a model past <c>OnnxSessions</c> lets ONNX Runtime tell its maker of it.</summary>
    [Theory]
    [InlineData(typeof(Checkpoint))]
    [InlineData(typeof(Graft.Inference.Classifier))]
    public void Models_are_opened_in_one_way(Type ofAssembly)
    {
        var violations = MethodsOf(ofAssembly.Assembly.GetTypes()).Where(method => method.DeclaringType!.Name != "OnnxSessions")
            .Where(method => NamedIn(method).OfType<ConstructorInfo>().Any(made => made.DeclaringType == typeof(SessionOptions)
                || (made.DeclaringType == typeof(InferenceSession) && made.GetParameters().All(parameter => parameter.ParameterType != typeof(SessionOptions)))));

        Assert.Empty(violations.Select(method => $"{method.DeclaringType}.{method.Name}"));
    }

    [Fact]
    public void Every_folder_has_its_place_in_the_order() =>
        Assert.Equal(
            Order.Order(StringComparer.Ordinal),
            Directory.EnumerateDirectories(Sources()).Select(folder => Path.GetFileName(folder))
                .Where(name => name is not ("bin" or "obj")).Order(StringComparer.Ordinal));

    [Fact]
    public void Namespaces_are_folders()
    {
        var sources = Sources();

        Assert.All(Order.SelectMany(folder => Directory.EnumerateFiles(Path.Combine(sources, folder), "*.cs")), file =>
            Assert.Contains($"namespace Graft.{Path.GetFileName(Path.GetDirectoryName(file))};", File.ReadAllText(file), StringComparison.Ordinal));
    }

    [Fact]
    public void Imaging_knows_neither_torch_nor_Graft()
    {
        var referenced = typeof(ImageDecoder).Assembly.GetReferencedAssemblies().Select(assembly => assembly.Name);

        Assert.DoesNotContain(referenced, name => name is "TorchSharp" or "Graft");
    }

    [Fact]
    public async Task Header_of_a_checkpoint_is_read_without_libtorch()
    {
        using var folder = new Graft.Testing.TemporaryFolder();
        var path = folder.File("weights.safetensors");
        SafetensorsWriter.Write(path, [new("a", TensorType.Float32, [2], new float[] { 1, 2 })]);
        var start = new ProcessStartInfo(Environment.ProcessPath!);
        start.Environment[ProbeVariable] = path;

        using var process = Process.Start(start)!;
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);

        Assert.Equal(NothingOfTorch, process.ExitCode);
    }

    /// <summary>This program, started again: other tests load libtorch into the first process.</summary>
    [ModuleInitializer]
    internal static void ReadHeaderIfAsked()
    {
        if (Environment.GetEnvironmentVariable(ProbeVariable) is not { } path) return;
        using (var checkpoint = Checkpoint.Open(path)) checkpoint.Read("a", new float[2]);
        var loaded = Process.GetCurrentProcess().Modules.Cast<ProcessModule>()
            .Any(module => module.ModuleName.Contains("torch", StringComparison.OrdinalIgnoreCase));
        Environment.Exit(loaded ? 1 : NothingOfTorch);
    }

    private static string Sources()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "Graft.slnx"))) return Path.Combine(folder.FullName, "src", "Graft");
        Assert.Skip("The sources are not here.");
        return "";
    }
}
